"""Tables of the docs that are made from the code, so that they can't say anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.cli_process import ROOT


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fates() -> str:
    """Every disposition."""
    from netsim.dataplane.disposition import FATES, NO_ERROR, Disposition

    rows = []
    for fate in FATES:
        ends = "delivered" if fate.ok else "dropped"
        icmp = "" if fate.icmp == NO_ERROR else "/".join(map(str, fate.icmp))
        is_open = fate.disposition is Disposition.IN_FLIGHT
        rows.append((f"`{fate.disposition.symbol}`", "-" if is_open else ends, icmp, fate.condition))
    return table(("Disposition", "Counts as", "ICMP error", "Condition"), rows)


def commands() -> str:
    """Every subcommand, with the first sentence of its help."""
    import click

    from netsim.cli.root import SECTIONS, LazyGroup

    group = LazyGroup("netsim")
    rows = []
    for section, names in SECTIONS.items():
        for name in names:
            command = group.get_command(click.Context(group), name)
            assert command is not None, name
            below = sorted(command.commands.items()) if isinstance(command, click.Group) else []
            for full, made in [(f"{name} {sub}", leaf) for sub, leaf in below] or [(name, command)]:
                rows.append((section, f"`{full}`", first_sentence(made.help or "")))
    return table(("", "Command", "What it does"), rows)


def metrics() -> str:
    """Every metric of a peer connection."""
    from netsim.monitor.metrics import METRICS

    return table(("Metric", "Unit", "Shown as"), [(f"`{m.name}`", m.unit, m.title) for m in METRICS.values()])


def limits() -> str:
    """What `limits:` may set, and both profiles."""
    from netsim.controlplane.limits import LIMIT_NAMES, PRODUCT, RESEARCH

    def text(value: int | None) -> str:
        return "no limit" if value is None else str(value)

    rows = [(f"`{name}`", text(getattr(PRODUCT, name)), text(getattr(RESEARCH, name))) for name in LIMIT_NAMES]
    return table(("Limit", "`product`", "`research`"), rows)


def layers() -> str:
    """The import layers, top first, as pyproject.toml has them."""
    text = (ROOT / "pyproject.toml").read_text()
    found = re.search(r"^layers = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert found
    return table(("Layers, top first",), [(f"`{name}`",) for name in re.findall(r'"([^"]+)"', found[1])])


def schema() -> dict[str, Any]:
    """The JSON Schema of topology files, as it ships."""
    loaded: dict[str, Any] = json.loads((ROOT / "netsim" / "topology_file" / "topology.schema.json").read_text())
    return loaded


def keys(name: str) -> Callable[[], str]:
    """The keys of one mapping of a topology file; `name` is its place in the schema's $defs, "" the top."""

    def made() -> str:
        whole = schema()
        mapping = whole["$defs"][name] if name else whole
        required = set(mapping.get("required", ()))
        rows = []
        for key, described in mapping["properties"].items():
            need = "required" if key in required else ""
            rows.append((f"`{key}`", type_of(described), need or default_of(described), meaning_of(described, whole)))
        return table(("Key", "Type", "Default", "Meaning"), rows)

    return made


def type_of(described: dict[str, Any]) -> str:
    """What a key takes, in words."""
    if "$ref" in described:
        return "mapping"
    if "anyOf" in described:
        kinds = [type_of(choice) for choice in described["anyOf"] if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in described:
        return ", ".join(f"`{value}`" for value in described["enum"] if value is not None)
    if "const" in described:
        return f"`{described['const']}`"
    if described.get("type") == "array":
        return "list of " + {"mapping": "mappings"}.get(inner := type_of(described["items"]), inner)
    kind = {"string": "text", "boolean": "`true`, `false`", "number": "number", "integer": "integer"}[described["type"]]
    return kind + range_of(described)


def range_of(described: dict[str, Any]) -> str:
    """The range of a number, with what is open said in words."""
    low, high = described.get("minimum"), described.get("maximum")
    high = int(high) if isinstance(high, float) and high.is_integer() else high
    if low is not None and low == high:
        return f" {low}"
    above = described.get("exclusiveMinimum")
    start = f"more than {above:g}" if above is not None else None if low is None else f"{low:,}"
    if start is None and high is None:
        return ""
    if high is None or high >= 10**9:
        return f" {start}" if above is not None else f" from {start}"
    return f" {start}, at most {high:,}" if above is not None else f" {start}..{high:,}"


def default_of(described: dict[str, Any]) -> str:
    """The default, where it is a value that says something by itself."""
    value = described.get("default")
    if value is None or value == "":
        return ""
    return f"`{json.dumps(value)}`" if isinstance(value, bool | int | float) else f"`{value}`"


def meaning_of(described: dict[str, Any], whole: dict[str, Any]) -> str:
    """The description of the key, else of what it holds."""
    if "description" in described:
        return str(described["description"])
    inner = described
    for choice in described.get("anyOf", ()):
        if choice.get("type") != "null":
            inner = choice
    is_list = "items" in inner
    inner = inner.get("items", inner)
    if "$ref" in inner:
        text = str(whole["$defs"][inner["$ref"].rpartition("/")[2]]["description"])
        return f"Each entry: {text[0].lower()}{text[1:]}" if is_list else text
    return str(inner.get("description", ""))


def first_sentence(text: str) -> str:
    """Up to the first full stop, on one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.split("\n\n", maxsplit=1)[0].split()))[0]


def mappings() -> dict[str, str]:
    """Name in the docs -> name in $defs, "" the top: every mapping a topology file has."""
    return {
        "keys-top": "",
        **{f"keys-{name}": name for name, made in schema()["$defs"].items() if "properties" in made},
    }


TABLES: dict[str, Callable[[], str]] = {
    "fates": fates,
    "commands": commands,
    "metrics": metrics,
    "limits": limits,
    "layers": layers,
    **{name: keys(place) for name, place in mappings().items()},
}

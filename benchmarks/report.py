"""The results as text for a terminal and as one page of tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.measure import Row, row_of

METHOD = """\
Both sides of a line took turns (`rounds` of them, the order reversed every other round), each doing the same kind of
work from scratch: network, traffic and set-up are inside the time on both sides, but for ns-3, where `Simulator::Run()`
alone is timed, and for servers, which run already when they are asked. The ratio is taken in each round; its median and
quartiles stand here. Kernels were compiled before. Rates are medians; a count beside a rate repeated exactly in every
round. Figures of other machines will differ, ratios less so. A peer that is not installed is named with the command
that would install it."""


def human(value: float | None) -> str:
    """Three significant figures: 12.3 M."""
    if value is None:
        return "–"
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def cells(row: Row) -> list[str]:
    """Question, peer, ours, theirs, ratio, target, verdict."""
    theirs = (row.absent and f"absent ({row.absent})") or human(row.theirs.rate if row.theirs else None)
    ours = human(row.ours.rate) if row.ours else human(row.value if row.value is not None else row.exponent)
    ratio = "–"
    if row.ratio is not None:
        low, high = row.quartiles or (row.ratio, row.ratio)
        ratio = f"{human(row.ratio)}× ({human(low)}–{human(high)})"
    sign = "≥" if row.ratio is not None or row.absent or row.value is row.exponent is None else "≤"
    target = "–" if row.target is None else f"{sign} {row.target:g}"
    met = {None: "", True: "met", False: "MISSED"}[row.meets_target]
    # Of growth the exponent is shown, whose points have the unit.
    unit = "exponent" if row.exponent is not None else row.unit
    return [row.question, row.peer or "–", f"{ours} {unit}".strip(), theirs, ratio, target, met]


HEAD = ["question", "against", "netsim", "peer", "ratio (quartiles)", "target", ""]


def text_table(rows: Iterable[Row]) -> str:
    """Aligned columns."""
    lines = [HEAD, *(cells(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def page(results: dict[str, Any]) -> str:
    """RESULTS.md."""
    about = results["about"]
    rows = [row_of({k: v for k, v in row.items() if k != "meets_target"}) for row in results["rows"]]
    kind = "**A quick run: small sizes, few rounds. It shows that the suite works, not how fast netsim is.**\n\n"
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    facts = [
        ("taken", about["taken"]),
        ("processor", f"{about['processor']}, {about['cores']} cores, {about['memory_gb']} GB"),
        ("load before", about["load_before"]), ("system", about["system"]),
        ("versions", f"netsim {about['netsim']}, Python {about['python']}, gcc {about['gcc']}, {packages}"),
        ("threads of netsim", about["threads"]), ("took", f"{about['seconds']} s"),
    ]  # fmt: skip
    measured = [row for row in rows if row.exponent is None]
    growth = [row for row in rows if row.exponent is not None]
    parts = [
        "# Results\n\nWritten by `make bench`; how to read them: [README](README.md).\n",
        (kind if about["quick"] else "") + markdown(["", ""], [[a, str(b)] for a, b in facts]),
        f"## Speed\n\n{METHOD}\n",
        markdown(HEAD, [cells(row) for row in measured if row.ours is not None]),
        "## What repeats exactly\n",
        markdown(["question", "side", "work", "counts"], list(_counts(measured))),
        "## Accuracy, memory and latency\n",
        markdown(["question", "measured", "target", ""], [_value(row) for row in measured if row.ours is None]),
        "## Growth\n\ntime or memory = a · size^b, fitted on logarithms; b is the exponent.\n",
        markdown(["of", "exponent", "at most", "", "size: measured"], [_growth(row) for row in growth]),
        *(f"- {row.key}: {row.note}\n" for row in rows if row.note),
    ]
    return "\n".join(parts).rstrip() + "\n"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of pipes."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _counts(rows: Sequence[Row]) -> Iterable[list[str]]:
    seen = set()
    for row in rows:
        for side in (row.ours, row.theirs):
            if side is not None and (row.question, side.name) not in seen:
                seen.add((row.question, side.name))
                counts = ", ".join(f"{name} {count:,}" for name, count in side.counts.items())
                yield [row.question, side.name, f"{side.work:,}", counts or "–"]


def _value(row: Row) -> list[str]:
    target = "–" if row.target is None else f"≤ {row.target:g}"
    met = {None: "", True: "met", False: "MISSED"}[row.meets_target]
    return [row.question, f"{human(row.value)} {row.unit}", target, met]


def _growth(row: Row) -> list[str]:
    points = ", ".join(f"{human(x)}: {human(y)} {row.unit}" for x, y in row.points)
    target = "–" if row.target is None else f"{row.target:g}"
    met = {None: "", True: "met", False: "MISSED"}[row.meets_target]
    return [row.question, f"{row.exponent:.2f}", target, met, points]

"""`netsim doctor`: what this machine can do for `deploy`, found out by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.cli.frame import subcommand
from netsim.cli.output import print_json, print_line, table
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.kernel.capability import Capability

EXIT_LACKS = 6


@subcommand("doctor", example="netsim doctor --json", takes_topology=False)
def command(settings: Settings) -> int:
    """Try what `deploy`, `exec` and `crosscheck` need: namespaces, links, caps, filters, tools.

    Everything is tried for real, in namespaces that end with the try. Exits 6 if deploy lacks something.
    Everything else netsim does needs none of it.
    """
    from netsim.kernel.capability import probe_all

    found = probe_all()
    lacking = [each for each in found if each.need.is_required and not each.is_there]
    if settings.is_json:
        print_json({"ready": not lacking, "checks": [_as_json(each) for each in found]})
    else:
        rows = [(each.need.name, _state(each), each.detail, each.need.why) for each in found]
        print_line(table(rows, ("what", "there", "detail", "for")))
        for each in found:
            if not each.is_there:
                print_line(f"{each.need.name}: {each.need.remedy}")
        ready = "ready for netsim deploy" if not lacking else f"netsim deploy lacks {len(lacking)} of them"
        settings.note(ready)
    return EXIT_LACKS if lacking else 0


def _state(found: Capability) -> str:
    return "yes" if found.is_there else "no" if found.need.is_required else "no (optional)"


def _as_json(found: Capability) -> dict[str, object]:
    need = found.need
    return {
        "name": need.name,
        "ok": found.is_there,
        "required": need.is_required,
        "detail": found.detail,
        "for": need.why,
        "remedy": None if found.is_there else need.remedy,
    }

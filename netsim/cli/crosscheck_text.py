"""What `netsim crosscheck` prints: the differences, one below the other, and what was compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from netsim.cli.output import print_line, safe, table
from netsim.units import BPS_PER_MBPS

if TYPE_CHECKING:
    from netsim.kernel.cap_check import CapResult
    from netsim.kernel.crosscheck import CrossCheck, Difference
    from netsim.kernel.route_check import RouteCheck

SHOWN = 20
"""Differences of one part; all of them are in the JSON."""


def print_check(checked: CrossCheck, title: str) -> None:
    """The differences, then a line that sums up."""
    for difference in checked.differences[:SHOWN]:
        _print_difference(difference)
    if len(checked.differences) > SHOWN:
        print_line(f"… and {len(checked.differences) - SHOWN:,} more (--json has all)")
    verdicts = ", ".join(f"{n:,} {verdict.replace('_', ' ')}" for verdict, n in checked.verdicts.items())
    print_line(
        f"{safe(title)}: {checked.pairs:,} pairs ({verdicts or 'none'}), {checked.packets:,} packets: "
        f"{_counted(len(checked.differences))}"
    )


def check_as_json(checked: CrossCheck) -> dict[str, Any]:
    """As an object."""
    return {
        "topologies": checked.topologies,
        "pairs": checked.pairs,
        "packets": checked.packets,
        "verdicts": checked.verdicts,
        "answers": checked.answers,
        "differences": [each.to_dict() for each in checked.differences],
    }


def print_tables(checked: RouteCheck) -> None:
    """The lookups that differ, then a line that sums up."""
    for difference in checked.differences[:SHOWN]:
        print_line(f"DIFFERS  {difference}")
    print_line(
        f"{checked.tables:,} route tables, {checked.routes:,} routes, {checked.lookups:,} lookups: "
        f"{_counted(len(checked.differences))}"
    )


def tables_as_json(checked: RouteCheck) -> dict[str, Any]:
    """As an object."""
    return {
        "tables": checked.tables,
        "routes": checked.routes,
        "lookups": checked.lookups,
        "answers": checked.answers,
        "differences": [str(each) for each in checked.differences],
    }


_CAP_COLUMNS = ("connection", "cap", "kind", "offered", "netsim", "kernel", "differ", "loss", "kernel's", "")


def print_caps(results: Sequence[CapResult]) -> None:
    """A line for each run: Mbit/s and loss, here and there."""
    rows = [
        (
            each.connection,
            f"{each.cap_mbps} Mbit/s",
            each.kind,
            f"{each.factor:g}x {each.offered_bps / BPS_PER_MBPS:.2f}",
            f"{each.netsim_bps / BPS_PER_MBPS:.2f}",
            f"{each.kernel_bps / BPS_PER_MBPS:.2f}",
            f"{each.difference_ratio:+.2%}",
            f"{each.netsim_loss:.2%}",
            f"{each.kernel_loss:.2%}",
            "" if each.agrees else "DIFFERS",
        )
        for each in results
    ]
    if rows:
        print_line(table(rows, _CAP_COLUMNS))
    n = sum(not each.agrees for each in results)
    seconds = f", {results[0].seconds:g} s each" if results else ""
    print_line(f"{len(results)} runs{seconds}: {_counted(n)}")


def caps_as_json(results: Iterable[CapResult]) -> list[dict[str, Any]]:
    """As an array."""
    return [each.to_dict() for each in results]


def _print_difference(difference: Difference) -> None:
    print_line(f"DIFFERS  {safe(difference.pair)}: {difference.what}")
    for side, said in zip(("engine", "verifier", "kernel"), difference.answers, strict=True):
        print_line(f"  {side:9} {safe(said)}")
    if difference.seed is not None:
        print_line(f"  again     netsim crosscheck --random 1 --seed {difference.seed}")


def _counted(n: int) -> str:
    return "no difference" if n == 0 else f"{n:,} difference{'' if n == 1 else 's'}"

"""What changed between two networks, for people: pairs first, then what else packets meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.output import safe
from netsim.cli.settings import Settings
from netsim.prefix import format_addr

if TYPE_CHECKING:
    from netsim.verify.diff import Diff, OwnerChange, PairChange, PieceChange, PortChange

MOST = 30
"""Of each kind; --json has all."""


def diff_lines(settings: Settings, found: Diff) -> Iterator[str]:
    """All lines of a diff that is not empty."""
    yield from _some(found.vpcs_added, lambda name: f"+ vpc {safe(name)}")
    yield from _some(found.vpcs_removed, lambda name: f"- vpc {safe(name)}")
    lost, gained = set(found.lost), set(found.gained)
    others = [change for change in found.pairs if change not in lost and change not in gained]
    yield from _some(found.lost, lambda change: _word(settings, "LOST", "red") + _pair(change))
    yield from _some(found.gained, lambda change: _word(settings, "GAINED", "green") + _pair(change))
    yield from _some(others, lambda change: _word(settings, "OTHER", "yellow") + _pair(change))
    yield from _some(found.pieces, _piece)
    yield from _some(found.owners, _owner)
    yield from _some(found.ports, _ports)
    yield counted(found)


def counted(found: Diff) -> str:
    """How many pairs changed, in a line."""
    if found.is_same:
        return "no change in behaviour: every packet that can be sent ends as before"
    n_other = len(found.pairs) - len(found.lost) - len(found.gained)
    return f"pairs: {len(found.lost):,} lost, {len(found.gained):,} gained, {n_other:,} changed otherwise"


def _word(settings: Settings, word: str, color: str) -> str:
    padded = f"{word:<8}"
    return click.style(padded, fg=color, bold=True) if settings.has_color else padded


def _pair(change: PairChange) -> str:
    packet = f"{format_addr(change.witness.src)} → {format_addr(change.witness.dst)}"
    words = [f"{verdict.replace('_', ' ')}{f' ({reason})' if reason else ''}" for verdict, reason in change[2:4]]
    return f"{safe(change.source)} → {safe(change.target)}: {words[0]}, now {words[1]}; packet {packet}"


def _piece(piece: PieceChange) -> str:
    src, dst = _span(*piece.src), _span(*piece.dst)
    return f"packet  in {safe(piece.vpc)} from {src} to {dst}: {safe(piece.before)}, now {safe(piece.after)}"


def _ports(change: PortChange) -> str:
    parts = [
        f"{', '.join(ports)} {word}" for word, ports in (("closed", change.closed), ("opened", change.opened)) if ports
    ]
    return f"ports   {safe(change.instance)}: {'; '.join(parts)}"


def _owner(owner: OwnerChange) -> str:
    before, after = owner.before or "nobody", owner.after or "nobody"
    return f"address {format_addr(owner.addr)} in {safe(owner.vpc)}: {safe(before)}, now {safe(after)}"


def _span(first: int, last: int) -> str:
    return format_addr(first) if first == last else f"{format_addr(first)}–{format_addr(last)}"


def _some(items: Sequence[Any], line: Callable[[Any], str]) -> Iterator[str]:
    yield from map(line, items[:MOST])
    if len(items) > MOST:
        yield f"… {len(items) - MOST:,} more; --json has all"

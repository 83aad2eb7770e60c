"""A topology as one self-contained SVG: a box per VPC with its subnets, a line per peer connection.

No scripts, fonts or links; names are escaped; it follows the reader's light or dark scheme. Lines
lie below the boxes, labels above, where they cover least.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from netsim.cli import layout
from netsim.cli.svg_box import COMPACT_FROM, Box, box_of, draw_box
from netsim.cli.svg_style import STYLE, text_width
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import PeerConn
from netsim.monitor.svg import clean, element, fit
from netsim.units import NS_PER_MS

_MARGIN: Final = 36.0
_HEAD: Final = 82.0
_LABELS_UP_TO: Final = 400
"""Lines that get a label; with more the picture would be labels alone."""
_PLACES: Final = (0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74)
"""Where on its line a label may stand, best first."""

Rect = tuple[float, float, float, float]
"""left, top, right, bottom"""


class _Line(NamedTuple):
    conn: PeerConn
    start: tuple[float, float]
    end: tuple[float, float]


def topology_svg(inventory: Inventory, name: str) -> str:
    """The SVG text."""
    vpcs = list(inventory.vpcs.values())
    accounts = list(dict.fromkeys(vpc.account for vpc in vpcs))
    is_compact = len(vpcs) >= COMPACT_FROM
    boxes = [box_of(inventory, vpc, accounts.index(vpc.account), is_compact=is_compact) for vpc in vpcs]
    number = {vpc.id: k for k, vpc in enumerate(vpcs)}
    conns = list(inventory.peer_conns.values())
    links = [(number[conn.local.vpc_id], number[conn.peer.vpc_id]) for conn in conns]
    centres = [
        (x + _MARGIN, y + _HEAD + _MARGIN) for x, y in layout.place([(box.width, box.height) for box in boxes], links)
    ]
    rects = [_rect(box, centre) for box, centre in zip(boxes, centres, strict=True)]
    lines = _lines(conns, links, centres, rects)
    labels = _labels(lines, rects, may_cover=not is_compact)
    everything = [*rects, *(rect for _, rect in labels)]
    width = max([520.0, *(rect[2] + _MARGIN for rect in everything)])
    height = max([_HEAD + 60, *(rect[3] + _MARGIN for rect in everything)])
    counts = f"{len(vpcs)} VPC{'s' * (len(vpcs) != 1)}, {len(conns)} peer connection{'s' * (len(conns) != 1)}"
    body = [
        element("rect", cls="bg", width=width, height=height, rx=10),
        element("text", fit(name, 60), cls="h1", x=_MARGIN, y=44),
        element("text", counts, cls="muted", x=_MARGIN, y=66),
        *_legend(accounts, _MARGIN + 20 + text_width(counts, 12), 66),
        *(_draw_line(line) for line in lines),
        *(draw_box(box, rect[0], rect[1]) for box, rect in zip(boxes, rects, strict=True)),
        *(_draw_label(line, rect) for line, rect in labels),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" role="img" aria-labelledby="netsim-title netsim-desc" class="netsim-topology">\n'
        f'<title id="netsim-title">{clean(name)}</title>\n'
        f'<desc id="netsim-desc">{clean(_description(inventory, conns))}</desc>\n'
        f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _description(inventory: Inventory, conns: Sequence[PeerConn]) -> str:
    """The picture in words, for those who can't see it."""
    vpcs = ", ".join(f"{vpc.name} {vpc.cidr}" for vpc in inventory.vpcs.values())
    peers = " ".join(
        f"{conn.name or conn.id} joins {inventory.vpcs[conn.local.vpc_id].name} and"
        f" {inventory.vpcs[conn.peer.vpc_id].name}: {_figures(conn)}, {conn.state}."
        for conn in conns
    )
    return f"VPCs: {vpcs or 'none'}. {peers}"


def _figures(conn: PeerConn) -> str:
    return f"{conn.bandwidth_mbps} Mbit/s · {round(conn.latency_ns / NS_PER_MS, 2):g} ms"


def _rect(box: Box, centre: tuple[float, float]) -> Rect:
    x, y = centre[0] - box.width / 2, centre[1] - box.height / 2
    return x, y, x + box.width, y + box.height


# ------------------------------------------------------------------------------------------- lines


def _lines(
    conns: Sequence[PeerConn],
    links: Sequence[tuple[int, int]],
    centres: Sequence[tuple[float, float]],
    rects: Sequence[Rect],
) -> list[_Line]:
    """From border to border; several between the same two VPCs run side by side."""
    pairs = [(min(link), max(link)) for link in links]
    lines = []
    for k, (conn, (a, b)) in enumerate(zip(conns, links, strict=True)):
        beside = pairs.count(pairs[k]) if len(pairs) <= _LABELS_UP_TO else 1
        shift = (pairs[:k].count(pairs[k]) - (beside - 1) / 2) * 46 if beside > 1 else 0.0
        (ax, ay), (bx, by) = centres[a], centres[b]
        length = max(1.0, ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5)
        # The shift is to the same side whichever end is the initiator.
        sign = 1 if a <= b else -1
        dx, dy = -(by - ay) / length * shift * sign, (bx - ax) / length * shift * sign
        start, end = (ax + dx, ay + dy), (bx + dx, by + dy)
        lines.append(_Line(conn, _border(rects[a], start, end), _border(rects[b], end, start)))
    return lines


def _border(rect: Rect, inside: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Where the way from a point inside a box leaves it."""
    (x, y), (tx, ty) = inside, towards
    dx, dy = tx - x, ty - y
    share = 1.0
    if dx:
        share = min(share, ((rect[2] if dx > 0 else rect[0]) - x) / dx)
    if dy:
        share = min(share, ((rect[3] if dy > 0 else rect[1]) - y) / dy)
    share = min(1.0, max(0.0, share))
    return x + dx * share, y + dy * share


def _draw_line(line: _Line) -> str:
    (x1, y1), (x2, y2) = line.start, line.end
    cls = f"link {line.conn.state}"
    ends = "".join(element("circle", cls=f"end {line.conn.state}", cx=x, cy=y, r=4) for x, y in (line.start, line.end))
    hint = "\n".join(_label_texts(line.conn))
    return element("line", cls=cls, x1=x1, y1=y1, x2=x2, y2=y2, hint=hint) + ends


# ------------------------------------------------------------------------------------------ labels


def _label_texts(conn: PeerConn) -> tuple[str, str]:
    state = "" if conn.is_active else f" · {str(conn.state).replace('_', ' ')}"
    return fit(conn.name or conn.id, 28), _figures(conn) + state


def _labels(lines: Sequence[_Line], boxes: Sequence[Rect], *, may_cover: bool) -> list[tuple[_Line, Rect]]:
    """A place for each label: the first on its line that covers nothing, else the one that covers least.

    In a crowded picture (`may_cover` false) such a label is left out; hovering over the line shows it.
    """
    taken: list[Rect] = list(boxes)
    found = []
    for line in lines if len(lines) <= _LABELS_UP_TO else ():
        name, figures = _label_texts(line.conn)
        width = max(text_width(name, 12, is_bold=True), text_width(figures, 11)) + 18
        best: tuple[float, Rect] | None = None
        for share in _PLACES:
            x = line.start[0] + (line.end[0] - line.start[0]) * share
            y = line.start[1] + (line.end[1] - line.start[1]) * share
            rect = (x - width / 2, y - 19, x + width / 2, y + 19)
            covered = sum(_overlap(rect, other) for other in taken)
            if best is None or covered < best[0]:
                best = (covered, rect)
            if covered == 0:
                break
        assert best is not None
        if best[0] and not may_cover:
            continue
        taken.append(best[1])
        found.append((line, best[1]))
    return found


def _overlap(a: Rect, b: Rect) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _draw_label(line: _Line, rect: Rect) -> str:
    name, figures = _label_texts(line.conn)
    middle, width = (rect[0] + rect[2]) / 2, rect[2] - rect[0]
    return "<g>" + "".join((
        element("rect", cls=f"pill {line.conn.state}", x=rect[0], y=rect[1], width=width, height=38, rx=8),
        element("text", name, cls="label", x=middle, y=rect[1] + 16, anchor="middle"),
        element("text", figures, cls="small", x=middle, y=rect[1] + 31, anchor="middle"),
    )) + "</g>"  # fmt: skip


def _legend(accounts: Sequence[str], x: float, y: float) -> list[str]:
    """The accounts by their colours, if there are several; at most a handful."""
    parts: list[str] = []
    if len(accounts) < 2:
        return parts
    for k, account in enumerate(accounts[:6]):
        text = fit(account, 20)
        parts.append(element("rect", cls=f"account{k % 6}", x=x, y=y - 9, width=10, height=10, rx=2))
        parts.append(element("text", text, cls="muted", x=x + 15, y=y))
        x += 15 + text_width(text, 12) + 18
    return parts

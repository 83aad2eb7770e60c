"""The box of a VPC in the topology picture: its name and range, its subnets, their instances."""

from __future__ import annotations

from typing import Final, NamedTuple

from netsim.cli.svg_style import ACCOUNT_COLORS, fit_width, text_width
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.vpc import Vpc
from netsim.monitor.svg import element
from netsim.prefix import format_addr

COMPACT_FROM: Final = 31
"""With this many VPCs a box shows counts instead of instances."""

_WIDTH, _COMPACT_WIDTH = 252.0, 190.0
_HEAD, _SUBNET_HEAD, _ROW, _GAP, _PAD = 58.0, 24.0, 18.0, 8.0, 12.0
_INSTANCES_SHOWN: Final = 5


class SubnetPanel(NamedTuple):
    """A subnet inside the box: its rows are (name, address); the last may say how many more there are."""

    name: str
    cidr: str
    rows: tuple[tuple[str, str], ...]

    @property
    def height(self) -> float:
        """In px, without the gap below."""
        return _SUBNET_HEAD + _ROW * len(self.rows) + (6.0 if self.rows else 0.0)


class Box(NamedTuple):
    """A VPC as it is drawn."""

    name: str
    lines: tuple[str, ...]
    color: int
    is_relay: bool
    panels: tuple[SubnetPanel, ...]
    width: float
    height: float


def box_of(inventory: Inventory, vpc: Vpc, color: int, *, is_compact: bool) -> Box:
    """The box of a VPC; `color` numbers its account."""
    place = f"{vpc.region} · {vpc.account}"
    if is_compact:
        n = len(inventory.instances_of(vpc.id))
        counts = f"{n} instance{'s' * (n != 1)}"
        return Box(vpc.name, (str(vpc.cidr), f"{place} · {counts}"), color, vpc.relay, (), _COMPACT_WIDTH, 74.0)
    panels = tuple(_panel(inventory, vpc, subnet.id) for subnet in inventory.subnets_of(vpc.id))
    height = _HEAD + sum(panel.height + _GAP for panel in panels) + (_PAD - _GAP if panels else 4.0)
    return Box(vpc.name, (f"{vpc.cidr} · {place}",), color, vpc.relay, panels, _WIDTH, height)


def _panel(inventory: Inventory, vpc: Vpc, subnet_id: str) -> SubnetPanel:
    subnet = inventory.subnets[subnet_id]
    instances = [known for known in inventory.instances_of(vpc.id) if known.subnet_id == subnet_id]
    shown = instances if len(instances) <= _INSTANCES_SHOWN + 1 else instances[:_INSTANCES_SHOWN]
    rows = [(known.name, format_addr(known.addr)) for known in shown]
    if len(shown) < len(instances):
        rows.append((f"+ {len(instances) - len(shown)} more", ""))
    return SubnetPanel(subnet.name, str(subnet.cidr), tuple(rows))


def draw_box(box: Box, x: float, y: float) -> str:
    """The box with its upper left corner at (x, y)."""
    inner = box.width - 2 * _PAD
    badge = text_width("RELAY", 9.5, is_bold=True) + 14 if box.is_relay else 0.0
    parts = [
        element("rect", cls="box", x=x, y=y, width=box.width, height=box.height, rx=10),
        element("rect", cls=f"account{box.color % len(ACCOUNT_COLORS)}", x=x + 10, y=y, width=28, height=4, rx=2),
        element("text", fit_width(box.name, 15, inner - badge, is_bold=True), cls="h2", x=x + _PAD, y=y + 28),
    ]
    if box.is_relay:
        left = x + box.width - _PAD - badge
        parts.append(
            element(
                "rect", cls=f"account{box.color % len(ACCOUNT_COLORS)}", x=left, y=y + 15, width=badge, height=16, rx=8
            )
        )
        parts.append(element("text", "RELAY", cls="badge", x=left + badge / 2, y=y + 26.5, anchor="middle"))
    for k, line in enumerate(box.lines):
        parts.append(element("text", fit_width(line, 12, inner), cls="muted", x=x + _PAD, y=y + 46 + 17 * k))
    top = y + _HEAD
    for panel in box.panels:
        parts.append(_draw_panel(panel, x + 8, top, box.width - 16))
        top += panel.height + _GAP
    return "<g>" + "".join(parts) + "</g>"


def _draw_panel(panel: SubnetPanel, x: float, y: float, width: float) -> str:
    right = x + width - 9
    room = width - text_width(panel.cidr, 11) - 28
    parts = [
        element("rect", cls="subnet", x=x, y=y, width=width, height=panel.height, rx=6),
        element("text", fit_width(panel.name, 12, room, is_bold=True), cls="label", x=x + 9, y=y + 16),
        element("text", panel.cidr, cls="small", x=right, y=y + 16, anchor="end"),
    ]
    for k, (name, address) in enumerate(panel.rows):
        base = y + _SUBNET_HEAD + _ROW * k + 12
        room = width - text_width(address, 11) - 42
        if address:
            parts.append(element("rect", cls="dot", x=x + 10, y=base - 8, width=7, height=7, rx=2))
        parts.append(element("text", fit_width(name, 12, room), cls="item" if address else "small", x=x + 23, y=base))
        if address:
            parts.append(element("text", address, cls="small", x=right, y=base, anchor="end"))
    return "".join(parts)

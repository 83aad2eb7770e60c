"""The link layer an instance sees: Ethernet frames, and ARP answered for its subnet.

The emulated network begins at IP. Programs that work below it get what a cloud's virtual switch
shows: every address of the subnet has a hardware address made from it (02:00 and its four bytes),
frames from and to elsewhere carry the router's, and ARP is answered at once, for hosts that exist
only. Frames with anything else inside reach nobody.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from netsim.controlplane.instance import Instance
from netsim.controlplane.inventory import Inventory

ETHER_IP, ETHER_ARP = 0x0800, 0x0806
HEADER_BYTES = 14

_ARP = struct.Struct("!HHBBH6sI6sI")
_ETHERNET, _REQUEST, _ANSWER = 1, 1, 2


class Frame(NamedTuple):
    """A frame that passed an instance's interface: packet time, hardware addresses, what is inside."""

    at_ns: int
    is_outgoing: bool
    src_mac: bytes
    dst_mac: bytes
    ether_type: int
    body: bytes

    def to_bytes(self) -> bytes:
        """As on the wire, without preamble and check sequence."""
        return self.dst_mac + self.src_mac + self.ether_type.to_bytes(2, "big") + self.body


def mac_of(addr: int) -> bytes:
    """The hardware address of an address: locally administered, 02:00 and the four bytes."""
    return b"\x02\x00" + addr.to_bytes(4, "big")


def mac_text(mac: bytes) -> str:
    """`02:00:c0:a8:00:0a`."""
    return mac.hex(":")


class LinkLayer:
    """The link of one instance.

    Args:
        inventory: says who is there, at the moment of each question.
        instance: whose link.
    """

    def __init__(self, inventory: Inventory, instance: Instance) -> None:
        self._inventory = inventory
        self._addr = instance.addr
        self.subnet = inventory.subnets[instance.subnet_id]
        self.mac = mac_of(instance.addr)

    def frame(self, at_ns: int, raw: bytes, *, is_outgoing: bool) -> Frame:
        """The frame that carries an IP packet of this instance."""
        start = 16 if is_outgoing else 12
        other = self._mac_towards(int.from_bytes(raw[start : start + 4], "big"))
        ends = (self.mac, other) if is_outgoing else (other, self.mac)
        return Frame(at_ns, is_outgoing, *ends, ETHER_IP, raw)

    def gateway_to(self, addr: int) -> int:
        """The address of the router on the way to `addr`, 0 when it is on this link."""
        return 0 if addr == self._addr or self.subnet.cidr.has(addr) else self.subnet.router_addr

    def arp_answer(self, at_ns: int, request: bytes) -> Frame | None:
        """The frame that answers an ARP request (from the ARP header on), None if nobody does."""
        if len(request) < _ARP.size:
            return None
        kind, proto, _, _, operation, asker_mac, asker, _, wanted = _ARP.unpack(request[: _ARP.size])
        if (kind, proto, operation) != (_ETHERNET, ETHER_IP, _REQUEST) or not self._is_here(wanted):
            return None
        mac = mac_of(wanted)
        body = _ARP.pack(_ETHERNET, ETHER_IP, 6, 4, _ANSWER, mac, wanted, asker_mac, asker)
        return Frame(at_ns, False, mac, asker_mac, ETHER_ARP, body)

    def _mac_towards(self, addr: int) -> bytes:
        return mac_of(self.gateway_to(addr) or addr)

    def _is_here(self, addr: int) -> bool:
        subnet = self.subnet
        if addr in (subnet.router_addr, subnet.resolver_addr):
            return True
        hosts = self._inventory.instances_of(subnet.vpc_id)
        return addr != self._addr and any(host.addr == addr and host.subnet_id == subnet.id for host in hosts)

"""scapy's sockets over an emulated interface: what `conf.L3socket` and its kin are while attached.

Each is a `SuperSocket` with a file descriptor of its own, so that scapy's select loops treat it
as any other: blocking (`nonblocking_socket = False`), readable while a packet waits, at end of
file when none can come any more. Times of packets are packet time since the start of a file run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from scapy.config import conf
from scapy.data import ETH_P_ALL
from scapy.error import Scapy_Exception
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.supersocket import SuperSocket
from scapy.utils import EDecimal

from netsim.clock import FILE_RUN_START_NS
from netsim.units import NS_PER_S
from netsim.wire.attachment import Attachment
from netsim.wire.capture_filter import compile_filter
from netsim.wire.link_layer import ETHER_ARP, ETHER_IP, HEADER_BYTES, Frame
from netsim.wire.port import Port

MTU = 0xFFFF


def scapy_time(at_ns: int) -> Any:
    """Packet time as scapy's packets carry it: exact seconds since 1970, as in capture files."""
    return EDecimal(FILE_RUN_START_NS + at_ns) / NS_PER_S


class EmulatedSocket(SuperSocket):  # type: ignore[misc]  # scapy's classes are Any here
    """The common part; `sockets_of` makes the classes that know their attachment."""

    nonblocking_socket = False
    closed = False
    attachment: ClassVar[Attachment]
    is_listener: ClassVar[bool] = False
    hears_itself: ClassVar[bool] = False

    def __init__(
        self,
        iface: Any = None,
        type: int = ETH_P_ALL,  # noqa: A002 - scapy's name for it
        promisc: Any = None,
        filter: str | None = None,  # noqa: A002 - scapy's name for it
        nofilter: int = 0,
        **_: Any,
    ) -> None:
        self.iface = iface or conf.iface
        self.promisc = promisc
        self.outs = None
        passes = compile_filter("" if nofilter or not filter else filter)

        def accepts(frame: Frame) -> bool:
            is_heard = self.hears_itself or not frame.is_outgoing
            return is_heard and self.carries(frame) and type in (ETH_P_ALL, frame.ether_type) and passes(frame)

        self.ins = Port(self.attachment, accepts, is_listener=self.is_listener)

    @staticmethod
    def carries(_frame: Frame) -> bool:
        """Whether frames of this kind are for this kind of socket."""
        return True

    def recv_raw(self, x: int = MTU) -> tuple[Any, bytes, Any]:
        """The next packet: its class, its bytes, its time. Waits for one.

        Raises:
            EOFError: none can come any more.
        """
        frame = self.ins.take()
        while frame is None and not self.ins.is_over:
            self.attachment.wait([self], [self.ins], None)
            frame = self.ins.take()
        if frame is None:
            raise EOFError
        kind, data = self.packet_of(frame)
        return kind, data[:x], scapy_time(frame.at_ns)

    @staticmethod
    def packet_of(frame: Frame) -> tuple[Any, bytes]:
        """The class and the bytes of what this kind of socket gives."""
        return Ether, frame.to_bytes()

    def close(self) -> None:
        """Close; what was sent through it arrives."""
        if not self.closed:
            self.closed = True
            if hasattr(self, "ins"):  # a filter that can't be read leaves none
                self.ins.close()

    @staticmethod
    def select(sockets: Sequence[Any], remain: float | None = None) -> list[Any]:
        """Those that are readable, sooner or later; packet time passes meanwhile."""
        closed = [one for one in sockets if getattr(one, "closed", False)]
        if closed:  # reading one says so
            return closed
        own = [one for one in sockets if isinstance(one, EmulatedSocket)]
        return own[0].attachment.wait(sockets, [one.ins for one in own], remain)


class L3Socket(EmulatedSocket):
    """IP packets, sent and received."""

    desc = "send and receive IP packets over the emulated network"

    def send(self, x: Any) -> int:
        """Send an IP packet (a link layer around it is left out); the bytes sent."""
        raw = _ip_bytes(x)
        at_ns = self.attachment.send(raw, self.ins)
        if isinstance(x, Packet):
            x.sent_time = scapy_time(at_ns)
        return len(raw)

    @staticmethod
    def carries(frame: Frame) -> bool:
        """IP alone."""
        return frame.ether_type == ETHER_IP

    @staticmethod
    def packet_of(frame: Frame) -> tuple[Any, bytes]:
        """The IP packet."""
        return IP, frame.body


class L2Socket(EmulatedSocket):
    """Ethernet frames, sent and received."""

    desc = "send and receive Ethernet frames over the emulated network"

    def send(self, x: Any) -> int:
        """Send a frame with an IP packet or an ARP request; the bytes sent."""
        raw = bytes(x)
        if int.from_bytes(raw[12:14], "big") == ETHER_ARP or (isinstance(x, Packet) and ARP in x):
            at_ns = self.attachment.ask_link(raw[HEADER_BYTES:], self.ins)
        else:
            inside = x if isinstance(x, Packet) and IP in x else raw[HEADER_BYTES:]
            at_ns = self.attachment.send(_ip_bytes(inside), self.ins)
        if isinstance(x, Packet):
            x.sent_time = scapy_time(at_ns)
        return len(raw)


class L2ListenSocket(EmulatedSocket):
    """Ethernet frames as they pass, sent ones too."""

    desc = "read the Ethernet frames that pass, also those that go out"
    is_listener = True
    hears_itself = True

    def send(self, x: Any) -> int:
        """Refused, as scapy's own does."""
        raise Scapy_Exception(f"can't send {type(x).__name__} with a socket that only listens")


class Sockets:
    """The three classes of one attachment."""

    def __init__(self, attachment: Attachment) -> None:
        self.l3 = type("L3Socket", (L3Socket,), {"attachment": attachment})
        self.l2 = type("L2Socket", (L2Socket,), {"attachment": attachment})
        self.listen = type("L2ListenSocket", (L2ListenSocket,), {"attachment": attachment})


def _ip_bytes(x: Any) -> bytes:
    """From the IP header on; whatever is no IP packet goes as it is, and ends as that."""
    if not isinstance(x, Packet):
        return bytes(x)
    ip = x.getlayer(IP)
    return bytes(x if ip is None or isinstance(x, Raw) else ip)

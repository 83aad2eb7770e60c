"""scapy on an instance: its own functions, unmodified, over the emulated network.

    from scapy.layers.inet import ICMP, IP
    from scapy.sendrecv import sr1

    with netsim.scapy.attach(lab, "web-1") as wire:
        answer = sr1(IP(dst="10.1.0.20") / ICMP(), timeout=2)

While attached, everything scapy asks the machine for comes from the instance: sockets, interface,
routes, addresses, names of hosts, and the time: a wait is packet time, and costs none of ours.
Leaving the block, by an exception too, puts every setting back.
"""

from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any

from netsim.emulator import Emulator
from netsim.errors import InvalidError, NotFoundError, UsageError
from netsim.prefix import format_addr, looks_like_addr, parse_addr
from netsim.probe.names import Names
from netsim.units import NS_PER_S, s_to_ns
from netsim.wire.attachment import Attachment
from netsim.wire.link_layer import mac_text

if TYPE_CHECKING:
    from netsim.wire.scapy_socket import Sockets

INTERFACE = "eth0"
"""The name of the only interface scapy sees while attached."""

_MISSING = object()
_attached: list[Wire] = []


def attach(emulator: Emulator, instance: str) -> Wire:
    """Let scapy's functions run on an instance, as long as the `with` block lasts.

    Args:
        emulator: an `Emulator` or `Lab`.
        instance: name or id of the instance scapy's packets come from and go to.

    Raises:
        NotFoundError: there is no such instance.
    """
    if not isinstance(emulator, Emulator):
        raise UsageError(f"scapy.attach: expected an emulator or a lab, got a {type(emulator).__name__}")
    return Wire(emulator, emulator.inventory.instance(instance).id)


class Wire:
    """An instance's interface, in the hands of scapy within the `with` block."""

    def __init__(self, emulator: Emulator, instance_id: str) -> None:
        self.emulator = emulator
        self.instance = emulator.inventory.instances[instance_id]
        self._attachment: Attachment | None = None
        self._settings: list[tuple[Any, str, Any]] = []

    @property
    def now_ns(self) -> int:
        """Packet time."""
        return self.emulator.now_ns

    def sleep(self, seconds: float) -> None:
        """Let packet time pass; sniffers see what passes meanwhile."""
        if self._attachment is None:
            raise UsageError(f"scapy is not attached to {self.instance.name}: there is nothing to wait for")
        self._attachment.sleep(s_to_ns(seconds))

    def __enter__(self) -> Wire:
        if _attached:
            raise UsageError(
                f"scapy is attached to {_attached[0].instance.name} already, "
                f"it has one set of settings: leave that block before attaching to {self.instance.name}"
            )
        from netsim.wire.scapy_socket import Sockets

        _attached.append(self)
        try:
            self._attachment = Attachment(self.emulator, self.instance)
            self._set_all(self._attachment, Sockets(self._attachment))
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._attachment is not None:
            self._attachment.detach()
            self._attachment = None
        while self._settings:
            owner, name, value = self._settings.pop()
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
        _attached.remove(self)

    def _set(self, owner: Any, name: str, value: Any) -> None:
        """Change a setting, to be put back."""
        held = vars(owner).get(name, _MISSING) if isinstance(owner, type) else getattr(owner, name, _MISSING)
        self._settings.append((owner, name, held))
        setattr(owner, name, value)

    def _set_all(self, attachment: Attachment, sockets: Sockets) -> None:
        import scapy.automaton
        import scapy.base_classes
        import scapy.interfaces
        import scapy.layers.l2
        import scapy.route
        import scapy.sendrecv
        from scapy.config import conf

        ifaces = _interfaces(attachment, sockets)
        self._set(conf, "ifaces", ifaces)
        self._set(scapy.interfaces, "ifaces", ifaces)
        self._set(scapy.interfaces, "IFACES", ifaces)
        self._set(conf, "route", _routes(attachment))
        self._set(conf, "iface", ifaces.data[INTERFACE])
        for name, kind in (("L3socket", sockets.l3), ("L2socket", sockets.l2), ("L2listen", sockets.listen)):
            self._set(conf, name, kind)
        self._set(conf, "L3socket6", sockets.l3)
        self._set(scapy.layers.l2, "_arp_cache", {})
        self._set(scapy.base_classes.Net, "name2addr", classmethod(_name_to_addr(attachment)))
        self._set(scapy.sendrecv, "SndRcvHandler", _unthreaded(sockets))
        self._set(scapy.sendrecv, "time", _clock(attachment, is_exact=True))
        self._set(scapy.automaton, "time", _clock(attachment, is_exact=False))


def _interfaces(attachment: Attachment, sockets: Sockets) -> Any:
    """scapy's table of interfaces with one in it: a name of this machine's finds nothing."""
    from scapy.interfaces import InterfaceProvider, NetworkInterface, NetworkInterfaceDict

    class Provider(InterfaceProvider):  # type: ignore[misc]  # scapy's classes are Any here
        """The emulated network."""

        name = "netsim"

        def load(self) -> dict[str, Any]:
            addr = format_addr(attachment.instance.addr)
            data = {
                "name": INTERFACE,
                "network_name": INTERFACE,
                "description": INTERFACE,
                "index": 1,
                "ip": addr,
                "ips": [addr],
                "mac": mac_text(attachment.link.mac),
                "flags": "UP+BROADCAST+RUNNING+MULTICAST",
            }
            return {INTERFACE: NetworkInterface(self, data)}

        def _l2socket(self, _dev: Any) -> Any:
            return sockets.l2

        def _l2listen(self, _dev: Any) -> Any:
            return sockets.listen

        def _l3socket(self, _dev: Any, _ipv6: bool) -> Any:
            return sockets.l3

    provider = Provider()
    ifaces = NetworkInterfaceDict()
    ifaces.providers[Provider] = provider
    ifaces.data.update(provider.load())
    return ifaces


def _routes(attachment: Attachment) -> Any:
    """scapy's routing table of the instance: its subnet is on the link, all else behind the router."""
    from scapy.route import Route

    subnet, addr = attachment.link.subnet, format_addr(attachment.instance.addr)
    mask = 0xFFFF_FFFF & ~(subnet.cidr.size - 1)

    class InstanceRoute(Route):  # type: ignore[misc]  # scapy's classes are Any here
        """Knows where every address lies; `routes` is for people and may be added to."""

        def resync(self) -> None:
            self.invalidate_cache()
            router = format_addr(subnet.router_addr)
            self.routes = [
                (subnet.cidr.network, mask, "0.0.0.0", INTERFACE, addr, 0),  # noqa: S104 - scapy's "no gateway"
                (0, 0, router, INTERFACE, addr, 0),
            ]

        def route(self, dst: Any = None, dev: Any = None, verbose: Any = None, _internal: bool = False) -> Any:
            # One's own address would lead to a loopback interface, which there is none of.
            if str(dst) == addr:
                return INTERFACE, addr, "0.0.0.0"  # noqa: S104 - scapy's "no gateway"
            return super().route(dst, dev, verbose or 0, _internal)

    table = InstanceRoute()
    table.resync()
    return table


def _name_to_addr(attachment: Attachment) -> Any:
    """Names in packets are those of this network: instances, and what the instance's resolver knows."""
    emulator = attachment.emulator

    def name2addr(_: Any, name: str) -> str:
        try:
            with attachment.lock:
                if isinstance(emulator, Names):
                    return format_addr(emulator.resolve(attachment.instance.id, name))
                return format_addr(
                    parse_addr(name) if looks_like_addr(name) else emulator.inventory.instance(name).addr
                )
        except (NotFoundError, InvalidError) as error:
            raise socket.gaierror(socket.EAI_NONAME, str(error)) from None

    return name2addr


def _unthreaded(sockets: Sockets) -> Any:
    """scapy's engine of send-and-receive with `threaded=False`: all is sent before waiting begins."""
    from scapy.sendrecv import SndRcvHandler

    class Handler(SndRcvHandler):  # type: ignore[misc]  # scapy's classes are Any here
        """A second thread that sends while the first lets time pass would race with it."""

        def __init__(self, pks: Any, *args: Any, **kwargs: Any) -> None:
            if isinstance(pks, (sockets.l3, sockets.l2)):
                kwargs["threaded"] = False
            super().__init__(pks, *args, **kwargs)

    return Handler


def _clock(attachment: Attachment, *, is_exact: bool) -> Any:
    """What scapy takes for the module `time`: packet time.

    A thread that only listens waits in wall time while others let packet time pass, so for
    threads beside the one that attached a second is over when both together say so.
    """

    def seconds() -> float:
        packet_s = attachment.now_ns / NS_PER_S
        if is_exact and threading.current_thread() is attachment.owner:
            return packet_s
        return packet_s + time.monotonic()

    def sleep(duration_s: float) -> None:
        attachment.pass_until(attachment.now_ns + s_to_ns(duration_s))

    return SimpleNamespace(**{**vars(time), "time": seconds, "monotonic": seconds, "sleep": sleep})

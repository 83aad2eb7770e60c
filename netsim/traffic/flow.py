"""FlowSpec: who talks to whom, how, and when; a value, checked when it is made.

A flow is described here and compiled to arrays by the emulator; nothing here resolves names.
`packet_bytes` is the whole IP packet and `rate_bps` counts whole IP packets (layer 3).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, get_args

from netsim.errors import InvalidError
from netsim.units import BITS_PER_BYTE, MAX_TIME_NS, NS_PER_S

Kind = Literal["udp", "tcp", "icmp", "replay"]
Arrivals = Literal["cbr", "poisson", "on_off"]
KINDS: tuple[str, ...] = get_args(Kind)
ARRIVALS: tuple[str, ...] = get_args(Arrivals)

MAX_PACKET_BYTES = 65_535
"""The total-length field of an IPv4 header (RFC 791 section 3.1)."""
MIN_PACKET_BYTES: dict[str, int] = {"udp": 28, "tcp": 88, "icmp": 28, "replay": 20}
"""IP header and layer-4 header; TCP's with timestamps (52), and the 36 bytes a segment always may hold."""
MAX_RATE_BPS = 10**12
DEFAULT_PACKET_BYTES: dict[str, int] = {"udp": 1500, "tcp": 1500, "icmp": 84, "replay": 1500}
"""A full default MTU; for icmp what `ping` sends."""
DEFAULT_PORT = 5201
"""Destination port of a flow that names none: iperf3's."""
FIRST_SOURCE_PORT, LAST_SOURCE_PORT = 49_152, 65_535
"""Dynamic ports, RFC 6335 section 6."""
MAX_TIME_SCALE = 1_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSpec:
    """One entry of `traffic:`.

    Attributes:
        name: unique within a run, not empty.
        from_ref, to_ref: the instances, `web-1` or `shop/web-1`.
        kind: `udp` and `icmp` send by `arrivals` at `rate_bps`; `tcp` sends as fast as its
            window lets it, at most `rate_bps` if that is given; `replay` sends what `pcap` holds.
        start_ns: packet time of the start.
        duration_ns: None = until the run ends (a replay: until the capture ends).
        rate_bps: required for udp; icmp without it sends one packet a second. In `on_off` it is
            the rate while on, so the long-run rate is rate_bps * on / (on + off).
        packet_bytes: the whole IP packet, 0 = the default of the kind; for tcp that of a full
            segment.
        arrivals: spacing of packets; `cbr` for tcp and replay, which don't use it.
        on_ns, off_ns: mean lengths of the phases of `on_off`, exponential; else 0.
        dst_port: None becomes `DEFAULT_PORT` for udp and tcp.
        src_port: None = `source_port` picks one by the flow's index.
        df: the don't-fragment bit of what the flow sends.
        pcap: the capture of a replay, as written in the file (relative to it).
        time_scale: a replay's gaps are multiplied by this: 0.5 is twice as fast.

    Raises:
        InvalidError: a value outside what is accepted; `field` names the attribute.
    """

    name: str
    from_ref: str
    to_ref: str
    kind: Kind = "udp"
    start_ns: int = 0
    duration_ns: int | None = None
    rate_bps: int | None = None
    packet_bytes: int = 0
    arrivals: Arrivals = "cbr"
    on_ns: int = 0
    off_ns: int = 0
    dst_port: int | None = None
    src_port: int | None = None
    df: bool = False
    pcap: str | None = None
    time_scale: float = 1.0

    def __post_init__(self) -> None:
        for field in ("name", "from_ref", "to_ref"):
            text = getattr(self, field)
            if not isinstance(text, str) or not text.strip():
                self._refuse(field, text, "a name")
        self._one_of("kind", KINDS)
        self._one_of("arrivals", ARRIVALS)
        self._fill_defaults()
        self._check_times()
        self._check_rate()
        self._check_phases()
        self._check_ports()
        self._check_replay()

    @property
    def end_ns(self) -> int | None:
        """Packet time of the end (exclusive), None when the run or the capture decides."""
        return None if self.duration_ns is None else self.start_ns + self.duration_ns

    def source_port(self, flow_index: int) -> int:
        """The source port of the flow at this place of the run's list: given, else a dynamic one.

        Flows less than 16,384 places apart never share one they did not ask for.
        """
        if self.src_port is not None:
            return self.src_port
        return FIRST_SOURCE_PORT + flow_index % (LAST_SOURCE_PORT - FIRST_SOURCE_PORT + 1)

    def _fill_defaults(self) -> None:
        if self.packet_bytes == 0:
            object.__setattr__(self, "packet_bytes", DEFAULT_PACKET_BYTES[self.kind])
        self._in_range("packet_bytes", MIN_PACKET_BYTES[self.kind], MAX_PACKET_BYTES)
        if self.kind == "icmp" and self.rate_bps is None:
            object.__setattr__(self, "rate_bps", self.packet_bytes * BITS_PER_BYTE)
        if self.kind in ("udp", "tcp") and self.dst_port is None:
            object.__setattr__(self, "dst_port", DEFAULT_PORT)

    def _check_times(self) -> None:
        self._in_range("start_ns", 0, MAX_TIME_NS)
        if self.duration_ns is not None:
            self._in_range("duration_ns", 1, MAX_TIME_NS)

    def _check_rate(self) -> None:
        if self.rate_bps is not None:
            self._in_range("rate_bps", 1, MAX_RATE_BPS)
        if self.kind == "udp" and self.rate_bps is None:
            self._refuse("rate_bps", None, "a rate: a udp flow has no other pace")
        if self.kind == "replay" and self.rate_bps is not None:
            self._refuse("rate_bps", self.rate_bps, "none: a replay keeps the capture's pace (see time_scale)")
        if self.kind in ("tcp", "replay") and self.arrivals != "cbr":
            self._refuse("arrivals", self.arrivals, f"none: a {self.kind} flow paces itself")

    def _check_phases(self) -> None:
        for field in ("on_ns", "off_ns"):
            if self.arrivals == "on_off":
                self._in_range(field, 1, MAX_TIME_NS)
            elif getattr(self, field):
                self._refuse(field, getattr(self, field), "none unless arrivals is on_off")
        if self.arrivals == "on_off":
            assert self.rate_bps is not None  # kind is udp or icmp here
            spacing_ns = self.packet_bytes * BITS_PER_BYTE * NS_PER_S // self.rate_bps
            # Shorter phases are no bursts, and a source would draw many phases for one packet.
            if self.on_ns < spacing_ns:
                self._refuse("on_ns", self.on_ns, f"at least the spacing of packets, {spacing_ns} ns")

    def _check_ports(self) -> None:
        for field in ("dst_port", "src_port"):
            port = getattr(self, field)
            if port is None:
                continue
            if self.kind not in ("udp", "tcp"):
                self._refuse(field, port, f"none: a {self.kind} flow sets no ports")
            self._in_range(field, 1, 65_535)

    def _check_replay(self) -> None:
        if self.kind == "replay":
            if not self.pcap:
                self._refuse("pcap", self.pcap, "the name of a capture file")
        elif self.pcap is not None:
            self._refuse("pcap", self.pcap, f"none: kind is {self.kind}, only a replay has a capture")
        scale: object = self.time_scale
        # The chained comparison is false for NaN as well.
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale <= MAX_TIME_SCALE:
            self._refuse("time_scale", scale, f"a number above 0, at most {MAX_TIME_SCALE:g}")
        if self.kind != "replay" and scale != 1.0:
            self._refuse("time_scale", scale, f"none: kind is {self.kind}, only a replay has a capture")

    def _one_of(self, field: str, accepted: Sequence[str]) -> None:
        value = getattr(self, field)
        if value not in accepted:
            near = difflib.get_close_matches(str(value), accepted, n=1)
            hint = f' - did you mean "{near[0]}"?' if near else ""
            self._refuse(field, value, f"one of {', '.join(accepted)}{hint}")

    def _in_range(self, field: str, low: int, high: int) -> None:
        value = getattr(self, field)
        # bool is an int to Python, and `start_s: true` is a mistake to everybody else.
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._refuse(field, value, f"{low}..{high}")

    def _refuse(self, field: str, given: object, accepted: str) -> NoReturn:
        shown = "missing" if given is None else repr(given)
        raise InvalidError(f"flow {self.name!r}: {field} is {shown}, accepted {accepted}", field=field)

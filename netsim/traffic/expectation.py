"""Expectation: what the author of a topology says must come out; `netsim check` compares.

Two forms. *Reachability*: from one instance to another (optionally to a port) it is reachable
or not, and if not, because of which reason. *Flow*: a flow's figures lie within bounds. This
module holds what is expected; verify and a run say what is.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import Final

from netsim.dataplane.batch import PROTO_TCP, PROTO_UDP
from netsim.dataplane.disposition import FATES, Disposition
from netsim.dataplane.fib import ECHO_PROTO
from netsim.errors import InvalidError

REASONS: Final[tuple[str, ...]] = (
    *(fate.disposition.symbol for fate in FATES if not fate.ok and fate.disposition != Disposition.IN_FLIGHT),
    "no_return_route",
    "overlapping_cidr",
    "port_closed",
)
"""What may stand after `because`: the drops, and the reasons that are no packet's fate."""

PROTOCOLS: Final[dict[str, int]] = {"tcp": PROTO_TCP, "udp": PROTO_UDP}
_ECHO = "/echo"
_PORT = re.compile(r"(tcp|udp)/([1-9][0-9]{0,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed range; None leaves that end open, but not both.

    Raises:
        InvalidError: both ends open, not a number, negative, or the lower end above the upper.
    """

    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise InvalidError("bounds: neither at_least nor at_most is given, expected one or both", field="at_least")
        for field in ("at_least", "at_most"):
            value = getattr(self, field)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise InvalidError(f"bounds: {field} is {value!r}, accepted a number from 0 up", field=field)
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise InvalidError(
                f"bounds: at_least is {self.at_least:g}, must not be above at_most, {self.at_most:g}", field="at_least"
            )

    def hold(self, value: float) -> bool:
        """Whether the value lies inside, ends included."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        if self.at_least is None:
            return f"at most {self.at_most:g}"
        if self.at_most is None:
            return f"at least {self.at_least:g}"
        return f"{self.at_least:g} to {self.at_most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One entry of `expect:`, of one form or the other.

    Attributes:
        from_ref, to_ref: instances of a reachability expectation.
        port: (IP protocol number, port), None = any packet.
        reachable: the expected answer; `one_way` counts as not reachable.
        because: the expected reason symbol when not reachable, None = any.
        flow: name of the flow of a flow expectation.
        throughput_mbps: layer-3 throughput in 10^6 bit/s.
        goodput_mbps: payload above TCP/UDP in 10^6 bit/s.
        loss_ratio: lost / sent, 0..1.

    Raises:
        InvalidError: a mixture of the forms, or half of one; `field` names the attribute.
    """

    from_ref: str | None = None
    to_ref: str | None = None
    port: tuple[int, int] | None = None
    reachable: bool | None = None
    because: str | None = None
    flow: str | None = None
    throughput_mbps: Bounds | None = None
    goodput_mbps: Bounds | None = None
    loss_ratio: Bounds | None = None

    def __post_init__(self) -> None:
        if self.flow is None:
            self._check_reachability()
        else:
            self._check_flow()

    @property
    def is_about_flow(self) -> bool:
        """Whether it needs a run; the others are answered without sending a packet."""
        return self.flow is not None

    @property
    def bounds(self) -> tuple[tuple[str, Bounds], ...]:
        """The (name, bounds) that are given, in the order of the attributes."""
        named = (
            ("throughput_mbps", self.throughput_mbps),
            ("goodput_mbps", self.goodput_mbps),
            ("loss_ratio", self.loss_ratio),
        )
        return tuple((name, bounds) for name, bounds in named if bounds is not None)

    def __str__(self) -> str:
        if self.flow is not None:
            return f"{self.flow}: " + ", ".join(f"{name} {bounds}" for name, bounds in self.bounds)
        port = f" {format_port(self.port)}" if self.port else ""
        because = f" because {self.because}" if self.because else ""
        return f"{self.from_ref} -> {self.to_ref}{port}: {'reachable' if self.reachable else 'not reachable'}{because}"

    def _check_reachability(self) -> None:
        for field in ("from_ref", "to_ref"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value.strip():
                raise InvalidError(f"expectation: {field} is {value!r}, expected an instance (or a flow)", field=field)
        if not isinstance(self.reachable, bool):
            about = f"expectation {self.from_ref} -> {self.to_ref}"
            raise InvalidError(f"{about}: reachable is {self.reachable!r}, accepted true or false", field="reachable")
        for name, _ in self.bounds:
            raise InvalidError(
                f"expectation {self.from_ref} -> {self.to_ref}: {name} needs a flow, not two instances", field=name
            )
        if self.port is not None:
            _check_port(self.port)
        if self.because is not None:
            self._check_reason(self.because)

    def _check_reason(self, because: str) -> None:
        about = f"expectation {self.from_ref} -> {self.to_ref}"
        if self.reachable:
            raise InvalidError(f"{about}: because is {because!r}, accepted only with reachable: false", field="because")
        if because not in REASONS:
            near = difflib.get_close_matches(because, REASONS, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"accepted {', '.join(REASONS)}"
            raise InvalidError(f"{about}: because is {because!r}, no such reason - {hint}", field="because")

    def _check_flow(self) -> None:
        if not isinstance(self.flow, str) or not self.flow.strip():
            raise InvalidError(f"expectation: flow is {self.flow!r}, expected the name of a flow", field="flow")
        for field in ("from_ref", "to_ref", "port", "reachable", "because"):
            if getattr(self, field) is not None:
                raise InvalidError(
                    f"expectation for flow {self.flow!r}: {field} belongs to a reachability expectation", field=field
                )
        if not self.bounds:
            raise InvalidError(
                f"expectation for flow {self.flow!r}: no bounds, expected throughput_mbps, goodput_mbps or loss_ratio",
                field="throughput_mbps",
            )
        if self.loss_ratio is not None and max(self.loss_ratio.at_least or 0, self.loss_ratio.at_most or 0) > 1:
            about = f"expectation for flow {self.flow!r}"
            raise InvalidError(f"{about}: loss_ratio is {self.loss_ratio}, accepted 0..1", field="loss_ratio")


def parse_port(text: object) -> tuple[int, int]:
    """`tcp/443` as (IP protocol number, port).

    Raises:
        InvalidError: anything else.
    """
    match = _PORT.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[2]) > 65_535:
        raise InvalidError(f"{text!r} is not a port, expected like tcp/443 or udp/53", field="port")
    return PROTOCOLS[match[1]], int(match[2])


def parse_listen(text: object) -> tuple[int, int]:
    """`tcp/443` as `parse_port`; `tcp/7/echo`, a port that sends back what it gets, as (ECHO_PROTO, 7).

    Raises:
        InvalidError: anything else.
    """
    if isinstance(text, str) and text.startswith("tcp/") and text.endswith(_ECHO):
        return ECHO_PROTO, parse_port(text.removesuffix(_ECHO))[1]
    return parse_port(text)


def format_port(port: tuple[int, int]) -> str:
    """The text `parse_port` or `parse_listen` reads."""
    if port[0] == ECHO_PROTO:
        return f"tcp/{port[1]}{_ECHO}"
    name = next(name for name, number in PROTOCOLS.items() if number == port[0])
    return f"{name}/{port[1]}"


def _check_port(port: tuple[int, int]) -> None:
    protocol, number = port
    if protocol not in PROTOCOLS.values() or not 1 <= number <= 65_535:
        raise InvalidError(f"expectation: port is {port!r}, accepted (6 or 17, 1..65535)", field="port")

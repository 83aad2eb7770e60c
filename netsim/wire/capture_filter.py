"""Capture filters: the language of libpcap (pcap-filter(7)), as far as frames of this network need it.

    icmp · tcp port 80 · src host 10.1.0.20 and not arp · net 10.0.0.0/8 · portrange 5000-5010
    tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn · icmp[0] = 11 · ip[8] < 5 · len > 1000 · inbound

`and` and `or` have equal precedence and associate to the left, as there; `not` binds tightest. An
identifier alone takes the last qualifiers (`host a or b`). A comparison that looks behind the end
of the packet makes the whole filter say no. Left out: names of hosts and services, `ether`,
`vlan` and the other link layers, IPv6.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import NoReturn

from netsim.errors import InvalidError, UsageError
from netsim.prefix import Prefix, parse_addr, prefix_of
from netsim.wire.frame_fields import (
    PROTOCOLS,
    OtherProtocolError,
    Test,
    TooShortError,
    addrs_in,
    has_addrs,
    has_ports,
    is_protocol,
    layer_of,
    length_of,
    ports_in,
    proto_of,
)
from netsim.wire.link_layer import Frame

Number = Callable[[Frame], int]

_TOKEN = re.compile(r"\s*(0x[0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)+|[\w-]*[A-Za-z_][\w-]*|[0-9]+|<<|>>|&&|\|\||[<>=!]=|.)")
_COMPARE = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le,
    ">=": operator.ge,
}  # fmt: skip
_ARITHMETIC = (  # by precedence, loosest first
    {"|": operator.or_, "^": operator.xor, "&": operator.and_},
    {"<<": operator.lshift, ">>": operator.rshift},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.floordiv, "%": operator.mod},
)
_NAMED = {
    "tcpflags": 13, "icmptype": 0, "icmpcode": 1, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8,
    "tcp-ack": 16, "tcp-urg": 32, "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-redirect": 5, "icmp-echo": 8,
    "icmp-timxceed": 11,
}  # fmt: skip
MAX_NESTED = 100
"""Brackets and negations a filter may hold: the parser calls itself for each."""
_TYPES = ("host", "net", "port", "portrange")
_JOINED = {"and": "and", "&&": "and", "or": "or", "||": "or"}


def compile_filter(text: str) -> Test:
    """The filter as a function of a frame; an empty one lets everything pass.

    Raises:
        UsageError: it can't be read, or uses what is left out; says where.
    """
    parser = _Parser(text)
    if not parser.words:
        return lambda _: True
    if sum(word in ("(", "not", "!") for word in parser.words) > MAX_NESTED:
        raise UsageError(f"filter: more than {MAX_NESTED} brackets and negations")
    test = parser.expression()
    if parser.next() is not None:
        parser.refuse()

    def passes(frame: Frame) -> bool:
        try:
            return test(frame)
        except (TooShortError, ZeroDivisionError):
            return False

    return passes


class _Parser:
    """Recursive descent over the words; `at` is the next one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = [found[1] for found in _TOKEN.finditer(text.strip())]
        self.at = 0
        self.qualifiers: tuple[str | None, str, str] | None = None

    def next(self, ahead: int = 0) -> str | None:
        """The word at `at`, None at the end."""
        place = self.at + ahead
        return self.words[place] if place < len(self.words) else None

    def take(self, *wanted: str) -> str | None:
        """The next word if it is one of these (any, if none is named), else None and stay."""
        word = self.next()
        if word is None or (wanted and word not in wanted):
            return None
        self.at += 1
        return word

    def refuse(self) -> NoReturn:
        """Say what can't be read."""
        found = "the end" if self.next() is None else f'"{self.next()}"'
        raise UsageError(
            f'filter "{self.text}": can\'t read {found} (part {self.at + 1}), '
            "accepted like icmp, tcp port 80, src host 10.1.0.20, net 10.0.0.0/8, tcp[13] & 2 != 0, "
            "joined by and, or, not"
        )

    # -- claims ---------------------------------------------------------------------------

    def expression(self) -> Test:
        test = self.term()
        while word := self.take(*_JOINED):
            test = _both(test, self.term()) if _JOINED[word] == "and" else _either(test, self.term())
        return test

    def term(self) -> Test:
        if self.take("not", "!"):
            inner = self.term()
            return lambda frame: not inner(frame)
        start = self.at
        relation = self.relation()
        if relation is not None:
            return relation
        self.at = start
        if self.take("("):
            inner = self.expression()
            if not self.take(")"):
                self.refuse()
            return inner
        return self.primitive()

    def primitive(self) -> Test:
        if word := self.take("inbound", "outbound"):
            return lambda frame: frame.is_outgoing == (word == "outbound")
        if word := self.take("less", "greater"):
            size, is_less = self.plain_number(), word == "less"
            return lambda frame: length_of(frame) <= size if is_less else length_of(frame) >= size
        proto = self.take("ip", "arp", *PROTOCOLS)
        if proto in ("ip", None) and self.take("proto"):
            number = self.protocol_number()
            return lambda frame: proto_of(frame) == number
        direction = self.direction()
        kind = self.take(*_TYPES)
        if proto and not direction and not kind:
            return is_protocol(proto)
        if direction is None and kind is None:
            if self.qualifiers is None or not re.match(r"\d", self.next() or ""):
                self.refuse()
            proto, direction, kind = self.qualifiers
        self.qualifiers = proto, direction or "either", kind or "host"
        return self.with_identifier(*self.qualifiers)

    def direction(self) -> str | None:
        first = self.take("src", "dst")
        if first and self.next() in ("or", "and") and self.next(1) in ("src", "dst") and self.next(1) != first:
            joined = self.take()
            self.take()
            return "either" if joined == "or" else "both"
        return first

    def with_identifier(self, proto: str | None, direction: str, kind: str) -> Test:
        if kind in ("host", "net"):
            wanted = self.prefix(kind)
            found: Callable[[Frame], tuple[bool, bool]] = lambda frame: addrs_in(frame, wanted)  # noqa: E731
            layer = is_protocol(proto) if proto else has_addrs
        else:
            low, high = self.ports(kind)
            found = lambda frame: ports_in(frame, low, high)  # noqa: E731
            layer = is_protocol(proto) if proto else has_ports

        def test(frame: Frame) -> bool:
            if not layer(frame):
                return False
            src, dst = found(frame)
            return {"src": src, "dst": dst, "either": src or dst, "both": src and dst}[direction]

        return test

    def prefix(self, kind: str) -> Prefix:
        word = self.take()
        try:
            octets = (word or "").split(".")
            addr = parse_addr(".".join((octets + ["0"] * 3)[:4]) if kind == "net" else word or "")
            length = 32 if kind == "host" else min(len(octets), 4) * 8
            if kind == "net" and self.take("/"):
                length = self.plain_number()
            elif kind == "net" and self.take("mask"):
                length = parse_addr(self.take() or "").bit_count()
        except InvalidError:
            self.at -= 1
            self.refuse()
        if length > 32:
            self.at -= 1
            self.refuse()
        return prefix_of(addr, length)

    def ports(self, kind: str) -> tuple[int, int]:
        word = self.next() or ""
        if kind == "portrange" and (found := re.fullmatch(r"(\d+)-(\d+)", word)):
            self.at += 1
            return int(found[1]), int(found[2])
        low = self.plain_number()
        if kind == "portrange":
            if not self.take("-"):
                self.refuse()
            return low, self.plain_number()
        return low, low

    def protocol_number(self) -> int:
        self.take("\\")
        word = self.next()
        if word in PROTOCOLS:
            self.at += 1
            return PROTOCOLS[word]
        return self.plain_number()

    def plain_number(self) -> int:
        word = self.next() or ""
        if not re.fullmatch(r"0x[0-9a-fA-F]+|\d+", word):
            self.refuse()
        self.at += 1
        return int(word, 0)

    # -- comparisons ----------------------------------------------------------------------

    def relation(self) -> Test | None:
        """A comparison of two numbers; None if none stands here."""
        left = self.number()
        sign = self.take(*_COMPARE) if left is not None else None
        if left is None or sign is None:
            return None
        right = self.number()
        if right is None:
            self.refuse()
        return _compared(_COMPARE[sign], left, right)

    def number(self, level: int = 0) -> Number | None:
        if level == len(_ARITHMETIC):
            return self.atom()
        left = self.number(level + 1)
        while left is not None and (sign := self.take(*_ARITHMETIC[level])):
            right = self.number(level + 1)
            if right is None:
                return None
            left = _computed(_ARITHMETIC[level][sign], left, right)
        return left

    def atom(self) -> Number | None:
        word = self.next()
        if word is None:
            return None
        if self.take("("):
            inner = self.number()
            return inner if inner is not None and self.take(")") else None
        if self.take("len"):
            return length_of
        if word in _NAMED or re.fullmatch(r"0x[0-9a-fA-F]+|\d+", word):
            self.at += 1
            value = _NAMED[word] if word in _NAMED else int(word, 0)
            return lambda _: value
        if word in ("ip", "arp", "ether", *PROTOCOLS) and self.next(1) == "[":
            return self.bytes_in()
        return None

    def bytes_in(self) -> Number:
        """`tcp[13]`, `ip[2:2]`: bytes of a header, counted from its start."""
        layer = self.take() or ""
        self.take("[")
        offset = self.number()
        size = self.plain_number() if self.take(":") else 1
        if offset is None or size not in (1, 2, 4) or not self.take("]"):
            self.refuse()
        place = offset

        def read(frame: Frame) -> int:
            data = layer_of(frame, layer)
            at = place(frame)
            if at < 0 or at + size > len(data):
                raise TooShortError
            return int.from_bytes(data[at : at + size], "big")

        return read


def _both(one: Test, other: Test) -> Test:
    return lambda frame: one(frame) and other(frame)


def _either(one: Test, other: Test) -> Test:
    return lambda frame: one(frame) or other(frame)


def _compared(compare: Callable[[int, int], bool], one: Number, other: Number) -> Test:
    def test(frame: Frame) -> bool:
        try:
            return compare(one(frame), other(frame))
        except OtherProtocolError:
            return False

    return test


def _computed(compute: Callable[[int, int], int], one: Number, other: Number) -> Number:
    return lambda frame: compute(one(frame), other(frame)) & 0xFFFF_FFFF

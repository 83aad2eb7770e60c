"""A scapy packet from the text of an expression, without running any code but scapy's constructors.

`IP(dst='db-1')/UDP(dport=53)/Raw(b'hello')`: layers joined by `/`, their arguments numbers, texts,
bytes, lists, tuples (scapy's ranges) and further layers. Everything else is refused by its
place: names, attributes, operators, calls of anything that is no layer. Where an address is
expected an instance may stand; host names are refused, for looking them up would leave the
emulated world.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from netsim.errors import UsageError
from netsim.topology_file.text import did_you_mean, quoted

LAYERS = {
    "Ether": "scapy.layers.l2",
    "ARP": "scapy.layers.l2",
    "IP": "scapy.layers.inet",
    "ICMP": "scapy.layers.inet",
    "TCP": "scapy.layers.inet",
    "UDP": "scapy.layers.inet",
    "IPOption_RR": "scapy.layers.inet",
    "IPOption_Timestamp": "scapy.layers.inet",
    "IPOption_Router_Alert": "scapy.layers.inet",
    "IPOption_NOP": "scapy.layers.inet",
    "IPOption_EOL": "scapy.layers.inet",
    "IPv6": "scapy.layers.inet6",
    "DNS": "scapy.layers.dns",
    "DNSQR": "scapy.layers.dns",
    "DNSRR": "scapy.layers.dns",
    "Raw": "scapy.packet",
    "Padding": "scapy.packet",
}
"""What may be called, and where it lives."""
EXAMPLE = "IP(dst='db-1')/UDP(dport=53)"
MAX_CHARS = 20_000
_ADDRESS_FIELDS = ("src", "dst")
# What scapy's Net reads without a resolver: addresses, prefixes, ranges, wildcards.
_NUMERIC = re.compile(r"[0-9./*,-]+\Z", re.ASCII)

Resolve = Callable[[str], str]


def packet_of(text: str, resolve: Resolve) -> Any:
    """The scapy packet of an expression.

    Args:
        text: like `EXAMPLE`.
        resolve: the dotted quad of an instance's name; raises if there is none.

    Raises:
        UsageError: no such expression; says what is in the way, and where.
        NotFoundError: what `resolve` raises.
    """
    if len(text) > MAX_CHARS:
        raise UsageError(f"packet: {len(text)} characters, accepted {MAX_CHARS}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        packet = _Builder(text, resolve).value(tree.body)
    except SyntaxError as error:
        raise UsageError(f"packet: {_shown(text)}: {error.msg}, expected like {EXAMPLE}") from None
    except (RecursionError, MemoryError):
        raise UsageError("packet: nested too deeply") from None
    except ValueError as error:  # null bytes, numbers of a million digits
        raise UsageError(f"packet: {_shown(text)}: {error}") from None
    from scapy.packet import Packet

    if not isinstance(packet, Packet):
        raise UsageError(f"packet: {_shown(text)} is no packet, expected like {EXAMPLE}")
    return packet


class _Builder:
    """Evaluates what is on the list, and refuses the rest."""

    def __init__(self, text: str, resolve: Resolve) -> None:
        self._text = text
        self._resolve = resolve

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | bytes() | None as literal):
                return literal
            case ast.List(elts=items):
                return [self.value(item) for item in items]
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._stacked(self.value(left), self.value(right), node)
            case ast.Call():
                return self._layer(node)
        raise self._refused(node)

    def _stacked(self, lower: Any, upper: Any, node: ast.expr) -> Any:
        from scapy.packet import Packet

        if not isinstance(lower, Packet) or not isinstance(upper, Packet | bytes | str):
            raise UsageError(f"packet: {self._shown(node)}: / joins layers, like {EXAMPLE}")
        return lower / upper

    def _layer(self, call: ast.Call) -> Any:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name not in LAYERS:
            raise UsageError(f"packet: {self._shown(call.func)} is no layer, accepted {', '.join(LAYERS)}")
        arguments = [self.value(argument) for argument in call.args]
        fields: dict[str, Any] = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                raise self._refused(keyword.value)
            fields[keyword.arg] = self.value(keyword.value)
        if name == "IP":
            fields |= {field: self._address(fields[field]) for field in _ADDRESS_FIELDS if field in fields}
        layer = getattr(import_module(LAYERS[name]), name)
        known = [field.name for field in layer.fields_desc]
        # Scapy takes further, private arguments, which are nobody's business here.
        for field in fields:
            if field not in known:
                near = did_you_mean(field, known)
                raise UsageError(f"packet: {self._shown(call)}: {name} has no field {_shown(field)}{near}")
        try:
            return layer(*arguments, **fields)
        except Exception as error:  # noqa: BLE001 - a wrong field value may raise anything in scapy
            raise UsageError(f"packet: {self._shown(call)}: {_reason(error)}") from None

    def _address(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self._address(item) for item in value)
        if isinstance(value, str) and not _NUMERIC.match(value):
            return self._resolve(value)
        return value

    def _refused(self, node: ast.expr) -> UsageError:
        return UsageError(
            f"packet: {self._shown(node)} is not accepted here; layers, numbers, texts, lists and / are, like {EXAMPLE}"
        )

    def _shown(self, node: ast.expr) -> str:
        return _shown(ast.get_source_segment(self._text.strip(), node) or self._text)


def _shown(text: str) -> str:
    return quoted(text)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__} {str(error).strip().partition(chr(10))[0]}".strip()

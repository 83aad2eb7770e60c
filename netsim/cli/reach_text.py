"""An answer of `netsim reach` for people: the verdict, both ways hop by hop, the fix and its place in the file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from netsim.cli.explain import code_rows
from netsim.cli.output import safe
from netsim.cli.settings import Settings
from netsim.prefix import ADDR_BITS, format_addr

if TYPE_CHECKING:
    from netsim.controlplane.route_table import RouteRule
    from netsim.verify.network import Network
    from netsim.verify.path import Path, PathHop
    from netsim.verify.reach import Reach

COLORS = {"reachable": "green", "one_way": "yellow", "not_reachable": "red"}
_HEAD_COLUMNS = 70
_LABEL = 10
_MOST_HOPS = 8
_NEAR_BITS = 8
_MOST_NEAR = 2


def head_line(settings: Settings, answer: Reach) -> str:
    """`ONE WAY   web-1 (192.168.0.10) → db-1 (10.1.0.20)    no_return_route`."""
    word = answer.verdict.replace("_", " ").upper()
    width = max(_LABEL, len(word) + 2)
    ends = f"{_end(answer.source.name, answer.source.addr)} → {_end(answer.target.name, answer.target.addr)}"
    if answer.port is not None:
        from netsim.traffic.expectation import format_port

        ends += f" {format_port(answer.port)}"
    line = (word.ljust(width) + ends).ljust(_HEAD_COLUMNS if answer.reason else 0)
    if settings.has_color:
        line = click.style(word, fg=COLORS[answer.verdict], bold=True) + line[len(word) :]
    return f"{line}  {answer.reason}".rstrip() if answer.reason else line


def answer_lines(
    settings: Settings, network: Network, answer: Reach, *, is_explained: bool, places: list[list[str]]
) -> Iterator[str]:
    """All lines of one answer; `places` holds for each fix where it goes in the file."""
    yield head_line(settings, answer)
    target = answer.target.name
    is_there = answer.verdict != "not_reachable" or answer.reason == "port_closed"
    yield from _path_lines(network, "there", is_there, answer.source.name, target, answer.forward, is_explained)
    if answer.back is not None:
        is_back = answer.back.is_delivered and (is_there is False or answer.verdict != "one_way")
        yield from _path_lines(network, "back", is_back, target, answer.source.name, answer.back, is_explained)
    if is_explained and answer.reason:
        meaning = next((row["meaning"] for row in code_rows() if row["code"] == answer.reason), None)
        yield from _labelled("because", str(meaning)) if meaning else ()
    yield from fix_lines(settings, answer, places)


def fix_lines(settings: Settings, answer: Reach, places: list[list[str]]) -> Iterator[str]:
    """For each fix what to do, the lines of the file and the command; at the end the one that writes all of them."""
    pad = " " * _LABEL
    named = "" if settings.file is None else f" -t {shlex.quote(settings.file)}"
    for k, fix in enumerate(answer.fixes):
        yield from _labelled("fix" if k == 0 else "and", safe(fix.text))
        for place in places[k] if k < len(places) else ():
            yield f"{pad}{safe(place)}"
        for command in fix.commands:
            yield f"{pad}{safe(command + named)}"
    n = sum(bool(fix.edits) for fix in answer.fixes)
    if n:
        asked = shlex.join([answer.source.name, answer.target.name, *_port_option(answer)])
        does = "writes it" if n == 1 else "writes all of it"
        yield f"{pad}netsim reach {safe(asked + named)} --apply   {does}"


def _port_option(answer: Reach) -> list[str]:
    from netsim.traffic.expectation import format_port

    return [] if answer.port is None else ["--port", format_port(answer.port)]


def _path_lines(
    network: Network, label: str, is_ok: bool, sender: str, target: str, path: Path, is_explained: bool
) -> Iterator[str]:
    status = "ok" if is_ok else "no"
    yield f" {label:<{_LABEL - 1}}{status:<7}{path_text(network, sender, target, path)}"
    pad = " " * (_LABEL + 7)
    if path.disposition.symbol == "no_route":
        for rule in nearest_rules(network, path.hops[-1].vpc_id, path.src, path.dst):
            yield f"{pad}nearest: {safe(_rule_text(network, rule))}"
    if is_explained:
        for hop in path.hops[:_MOST_HOPS]:
            shown = safe(hop.rule_text) or "no rule matches"
            yield f"{pad}{safe(hop.vpc)}: ttl {hop.ttl}, transits {hop.transits}: {shown}"
            for beaten in hop.beaten:
                yield f"{pad}  beats {safe(beaten)}"
        if len(path.hops) > _MOST_HOPS:
            yield f"{pad}… {len(path.hops) - _MOST_HOPS} more hops"


def path_text(network: Network, sender: str, target: str, path: Path) -> str:
    """`web-1 → shop: 10.1.0.0/16 via int-1 (shop-data) → data: local → db-1`, or where and why it ends."""
    if not path.hops:
        if path.is_delivered:
            return f"{safe(sender)} → {safe(str(path.delivered_to))} in the same subnet"
        return f"{safe(sender)}: {_end_text(network, path)}"
    parts = [safe(sender), *(_hop_text(hop) for hop in path.hops[:-1])]
    if len(parts) > _MOST_HOPS:
        parts[_MOST_HOPS:] = [f"… {len(parts) - _MOST_HOPS} more"]
    last = path.hops[-1]
    if path.is_delivered or path.disposition.symbol == "exits_network":
        parts += [_hop_text(last), safe(str(path.delivered_to))]
        if path.inst >= 0 and path.delivered_to != target and "." not in target:
            parts[-1] += f" of {safe(network.vpc_name(path.node))}, not {safe(target)}"
        return " → ".join(parts)
    return f"{' → '.join(parts)} → {safe(last.vpc)}: {_end_text(network, path)}"


def _hop_text(hop: PathHop) -> str:
    return f"{safe(hop.vpc)}: {'local' if hop.rule == 'local' else safe(hop.rule_text)}"


def _end_text(network: Network, path: Path) -> str:
    """Why a packet ends at its last router."""
    symbol, dst = path.disposition.symbol, format_addr(path.dst)
    rule = safe(path.hops[-1].rule_text) if path.hops else ""
    if symbol == "no_route":
        return f"no rule covers {dst}"
    if symbol == "host_unreachable":
        return f"nobody has {dst}"
    if symbol == "bad_destination":
        return f"{dst} is no host's address"
    if symbol == "bad_state_route":
        return f"{rule}: {_state_text(network, path.hops[-1])}"
    if symbol == "transit_denied":
        is_relay = network.inventory.vpcs[path.hops[-1].vpc_id].relay
        why = "no more transits are allowed" if is_relay else "is no relay, packets may not pass through"
        return f"{rule}: {why}"
    if symbol == "blackhole":
        return f"{rule}: discards what it matches"
    if symbol == "ttl_expired":
        return "the TTL is used up, packets go round in a circle"
    return f"{rule}: {symbol}" if rule else symbol


def _state_text(network: Network, hop: PathHop) -> str:
    inventory = network.inventory
    rule = inventory.rules.get(str(hop.rule))
    conn = None if rule is None else inventory.conn_of_interface(rule.next_hop.target)
    if conn is None:
        return "the connection is gone"
    return "the connection is down" if conn.is_active else f"the connection is {conn.state.value}, not active"


def nearest_rules(network: Network, vpc_id: str, src: int, dst: int) -> list[RouteRule]:
    """The rules that nearly match: those that do but for the source, else those for addresses close by."""
    rules = network.inventory.rules_of(vpc_id)
    but_source = [rule for rule in rules if rule.destination.has(dst) and not rule.source.has(src)]
    if but_source:
        return but_source[:_MOST_NEAR]

    def shared_bits(rule: RouteRule) -> int:
        return min(ADDR_BITS - (rule.destination.network ^ dst).bit_length(), rule.destination.prefix_len)

    near = sorted(rules, key=shared_bits, reverse=True)
    return [rule for rule in near if shared_bits(rule) >= _NEAR_BITS][:1]


def _rule_text(network: Network, rule: RouteRule) -> str:
    from netsim.controlplane.route_choice import Candidate, describe_rule

    return describe_rule(network.inventory, Candidate(rule.source, rule.destination, rule))


def _labelled(label: str, text: str) -> Iterator[str]:
    yield f" {label:<{_LABEL - 1}}{text}"


def _end(name: str, addr: int) -> str:
    text = format_addr(addr)
    return text if name == text else f"{safe(name)} ({text})"

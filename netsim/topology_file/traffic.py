"""`traffic` and `expect` of a file to `FlowSpec` and `Expectation`, in the units of the core.

Both check themselves; what is checked here is checked in the file's words (`rate_mbps`, not
`rate_bps`), and references are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from netsim.errors import RefusedError
from netsim.topology_file import schema
from netsim.topology_file.build import Builder
from netsim.topology_file.tree import Path
from netsim.traffic.expectation import Bounds, Expectation
from netsim.traffic.flow import Arrivals, FlowSpec
from netsim.units import mbps_to_bps, ms_to_ns, s_to_ns

_FLOW_KEYS: Mapping[str, str] = {
    "from_ref": "from",
    "to_ref": "to",
    "start_ns": "start_s",
    "duration_ns": "duration_s",
    "rate_bps": "rate_mbps",
    "on_ns": "on_ms",
    "off_ns": "off_ms",
}
_NO_PACE = ("rate_mbps", "packet_bytes", "arrivals", "on_ms", "off_ms", "dst_port", "src_port")


def build_flows(builder: Builder, folder: FilePath | None) -> tuple[FlowSpec, ...]:
    """The flows; problems go to the builder. Captures are looked for in `folder`, unless it is None."""
    flows: list[FlowSpec] = []
    for i, entry in enumerate(builder.file.traffic or ()):
        path = builder.at(("traffic",), i)
        is_good = builder.claim(builder.names.flows, entry.name, (*path, "name"))
        for key, ref in (("from", entry.from_), ("to", entry.to)):
            is_good &= builder.find(builder.names.instances, ref, (*path, key)) is not None
        wrong = _misfit(entry)
        if wrong is None and entry.pcap is not None and folder is not None and not (folder / entry.pcap).is_file():
            wrong = ("pcap", f"there is no capture file {entry.pcap} beside the topology file")
        if wrong is not None:
            builder.note((*path, wrong[0]), wrong[1])
        flow = _to_flow(builder, entry, path) if wrong is None else None
        if flow is None or not is_good:
            builder.names.flows.lose(entry.name)
        else:
            builder.names.flows.add(entry.name, entry.name)
            flows.append(flow)
    return tuple(flows)


def _misfit(entry: schema.Flow) -> tuple[str, str] | None:
    """The key that does not go with the others, and why."""
    given = entry.model_fields_set
    if entry.pcap is not None:
        if entry.kind is not None:
            return "kind", f"{entry.kind}, accepted none: with pcap the capture says what is sent"
        for key in _NO_PACE:
            if key in given:
                return key, "not accepted with pcap: the capture says what is sent (see time_scale)"
        return None
    if entry.kind is None:
        return "name", "neither kind nor pcap is given, accepted kind: udp, tcp or icmp, or pcap: FILE"
    if entry.time_scale is not None:
        return "time_scale", "accepted only with pcap"
    if entry.kind == "udp" and entry.rate_mbps is None:
        return "kind", "udp needs rate_mbps, expected like rate_mbps: 20"
    return _misfit_of_pace(entry, given)


def _misfit_of_pace(entry: schema.Flow, given: set[str]) -> tuple[str, str] | None:
    if entry.kind == "tcp" and "arrivals" in given:
        return "arrivals", "not accepted with kind: tcp, which paces itself"
    if entry.kind == "icmp":
        for key in ("dst_port", "src_port"):
            if key in given:
                return key, "not accepted with kind: icmp, which has no ports"
    for key, value in (("on_ms", entry.on_ms), ("off_ms", entry.off_ms)):
        if entry.arrivals == "on_off" and value is None:
            return "arrivals", f"on_off needs {key}, the mean length of a {'burst' if key == 'on_ms' else 'pause'}"
        if entry.arrivals != "on_off" and value is not None:
            return key, "accepted only with arrivals: on_off"
    if entry.kind == "tcp" and entry.packet_bytes is not None and entry.packet_bytes < 88:
        return "packet_bytes", f"{entry.packet_bytes}, accepted 88..65535 with kind: tcp (headers and 36 bytes)"
    return None


def _to_flow(builder: Builder, entry: schema.Flow, path: Path) -> FlowSpec | None:
    arrivals: Arrivals = entry.arrivals or "cbr"
    try:
        return FlowSpec(
            name=entry.name,
            from_ref=entry.from_,
            to_ref=entry.to,
            kind="replay" if entry.kind is None else entry.kind,
            start_ns=s_to_ns(entry.start_s),
            duration_ns=None if entry.duration_s is None else s_to_ns(entry.duration_s),
            rate_bps=None if entry.rate_mbps is None else mbps_to_bps(entry.rate_mbps),
            packet_bytes=entry.packet_bytes or 0,
            arrivals=arrivals,
            on_ns=ms_to_ns(entry.on_ms or 0),
            off_ns=ms_to_ns(entry.off_ms or 0),
            dst_port=entry.dst_port,
            src_port=entry.src_port,
            df=entry.df,
            pcap=entry.pcap,
            time_scale=1.0 if entry.time_scale is None else entry.time_scale,
        )
    except RefusedError as error:
        key = _FLOW_KEYS.get(error.field, error.field)
        builder.note((*path, key) if key else path, str(error))
        return None


def build_expectations(builder: Builder) -> tuple[Expectation, ...]:
    """The expectations; problems go to the builder."""
    expectations: list[Expectation] = []
    for i, entry in enumerate(builder.file.expect or ()):
        path = builder.at(("expect",), i)
        is_good = True
        for key, names, ref in (
            ("from", builder.names.instances, entry.from_),
            ("to", builder.names.instances, entry.to),
            ("flow", builder.names.flows, entry.flow),
        ):
            if ref is not None:
                is_good &= builder.find(names, ref, (*path, key)) is not None
        wrong = _incomplete(entry)
        if wrong is not None:
            builder.note((*path, wrong[0]) if wrong[0] else path, wrong[1])
        elif (expectation := _to_expectation(builder, entry, path)) is not None and is_good:
            expectations.append(expectation)
    return tuple(expectations)


def _incomplete(entry: schema.Expectation) -> tuple[str, str] | None:
    """The key to blame ("" for the entry) and what is missing or contradicts; None if nothing."""
    return (_incomplete_reachability(entry) if entry.flow is None else None) or _wrong_bounds(entry)


def _incomplete_reachability(entry: schema.Expectation) -> tuple[str, str] | None:
    missing = [key for key, ref in (("from", entry.from_), ("to", entry.to)) if ref is None]
    if missing:
        return "", f'"{missing[0]}" is missing, accepted: from, to and reachable; or flow and bounds'
    if entry.reachable is None:
        return "", '"reachable" is missing, accepted true or false'
    if entry.reachable and entry.because is not None:
        return "because", "accepted only with reachable: false"
    return None


def _wrong_bounds(entry: schema.Expectation) -> tuple[str, str] | None:
    for key in ("throughput_mbps", "goodput_mbps", "loss_ratio"):
        bounds: schema.Bounds | None = getattr(entry, key)
        if bounds is None:
            continue
        if bounds.at_least is None and bounds.at_most is None:
            return key, "no bound, expected at_least, at_most or both"
        if bounds.at_least is not None and bounds.at_most is not None and bounds.at_least > bounds.at_most:
            return key, f"at_least is {bounds.at_least:g}, must not be above at_most, {bounds.at_most:g}"
    return None


def _to_expectation(builder: Builder, entry: schema.Expectation, path: Path) -> Expectation | None:
    try:
        return Expectation(
            from_ref=entry.from_,
            to_ref=entry.to,
            port=entry.port,
            reachable=entry.reachable,
            because=entry.because,
            flow=entry.flow,
            throughput_mbps=_to_bounds(entry.throughput_mbps),
            goodput_mbps=_to_bounds(entry.goodput_mbps),
            loss_ratio=_to_bounds(entry.loss_ratio),
        )
    except RefusedError as error:
        key = _FLOW_KEYS.get(error.field, error.field)
        builder.note((*path, key) if key else path, str(error))
        return None


def _to_bounds(entry: schema.Bounds | None) -> Bounds | None:
    return None if entry is None else Bounds(entry.at_least, entry.at_most)

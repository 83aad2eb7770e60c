"""What the flows of a file could get: their fair shares, for a run's figures to be compared with.

A flow counts with the mean rate that it offers, TCP with all it can get, each as if all were sending at
once. A replay has no share: what it offers stands in a capture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netsim.errors import RefusedError
from netsim.traffic.flow import FlowSpec
from netsim.verify.bottleneck import Demand, Share, fair_shares
from netsim.verify.network import Network


def flow_shares(network: Network, specs: Iterable[FlowSpec]) -> list[Share | None]:
    """The share of each flow, in order; None for a replay, and for one whose ends are gone."""
    specs = list(specs)
    # By number: runs of one lab may have flows of one name.
    demands = [demand_of(spec, str(k)) for k, spec in enumerate(specs) if spec.kind != "replay"]
    shares = fair_shares(network, [demand for demand in demands if _has_ends(network, demand)])
    found = {int(share.name): replace(share, name=specs[int(share.name)].name) for share in shares}
    return [found.get(k) for k in range(len(specs))]


def demand_of(spec: FlowSpec, name: str) -> Demand:
    """What a flow offers, on average, under a name that no other flow has."""
    rate_bps = spec.rate_bps
    if rate_bps is not None and spec.arrivals == "on_off":
        rate_bps = rate_bps * spec.on_ns // (spec.on_ns + spec.off_ns)
    return Demand(
        name, spec.from_ref, spec.to_ref, rate_bps, spec.packet_bytes, has_df=spec.df, finds_mtu=spec.kind == "tcp"
    )


def _has_ends(network: Network, demand: Demand) -> bool:
    """Whether both ends are there: an edit may have removed them since the flow began."""
    try:
        network.inventory.instance(demand.source)
        network.inventory.instance(demand.target)
    except RefusedError:
        return False
    return True

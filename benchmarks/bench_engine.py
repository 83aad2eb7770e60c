"""How many packet-hops a second does the engine do, plain and compiled?

    python benchmarks/bench_engine.py [--packets 200000] [--rounds 5]

A chain of five VPCs, four capped links, one UDP flow that offers 1.25 times the first cap. Traffic
generation is included, compiling is not. A packet-hop is one packet offered to one link. The
counts must repeat exactly and be the same plain and compiled: a changed count is a changed result.
"""

from __future__ import annotations

import argparse
import statistics
import time

from netsim.controlplane import edit
from netsim.controlplane.inventory import Inventory
from netsim.lab import Lab
from netsim.traffic.flow import FlowSpec
from netsim.units import BITS_PER_BYTE, NS_PER_S

LINKS = 4
CAP_MBPS = 1000
OFFERED_BPS = 1_250_000_000
PACKET_BYTES = 1000
PLAIN_SHARE = 50
"""Plain runs move this many times fewer packets."""


def chain(links: int) -> Inventory:
    """`links` + 1 VPCs in a row, all relays, routes both ways."""
    inventory = Inventory(profile="research")
    edits: list[edit.Edit[object]] = [edit.CreateAccount("bench")]
    for k in range(links + 1):
        edits += [
            edit.CreateVpc(f"v{k}", "bj", f"10.{k}.0.0/16", account="bench", relay=True),
            edit.CreateSubnet(f"v{k}", "s", f"10.{k}.0.0/24"),
            edit.CreateInstance(f"i{k}", "s", f"10.{k}.0.10", vpc=f"v{k}"),
        ]
    for k in range(links):
        edits.append(edit.CreatePeerConn(f"v{k}", f"v{k + 1}", CAP_MBPS, f"c{k}", "next", "previous"))
    for k in range(links + 1):
        for other in range(links + 1):
            if other != k:
                hop = "next" if other > k else "previous"
                edits.append(edit.CreateRoute(f"v{k}", "0.0.0.0/0", f"10.{other}.0.0/16", hop))
    inventory.apply(*edits)
    return inventory


def measure(packets: int, is_compiled: bool) -> tuple[float, int, int, int]:
    """Seconds, and exact counts of packet-hops, events and drops."""
    lab = Lab(chain(LINKS), threads=1)
    lab.engine.is_compiled = is_compiled
    duration_ns = packets * PACKET_BYTES * BITS_PER_BYTE * NS_PER_S // OFFERED_BPS
    spec = FlowSpec(
        name="flow",
        from_ref="i0",
        to_ref=f"i{LINKS}",
        rate_bps=OFFERED_BPS,
        packet_bytes=PACKET_BYTES,
        duration_ns=duration_ns,
    )
    lab.start_traffic([spec])
    if is_compiled:
        lab.engine.advance(0)  # load or compile the kernels
    start = time.perf_counter()
    lab.advance(duration_ns + NS_PER_S)
    seconds = time.perf_counter() - start
    return seconds, lab.engine.packet_hops, lab.engine.events, lab.totals().dropped


def main() -> None:
    """Interleave plain and compiled rounds, print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sizes = {"plain": options.packets // PLAIN_SHARE, "compiled": options.packets}
    rates: dict[str, list[float]] = {"plain": [], "compiled": []}
    counts: dict[str, set[tuple[int, ...]]] = {"plain": set(), "compiled": set()}
    measure(sizes["plain"], is_compiled=True)
    for _ in range(options.rounds):
        for mode, packets in sizes.items():
            seconds, *exact = measure(packets, is_compiled=mode == "compiled")
            rates[mode].append(exact[0] / seconds)
            counts[mode].add(tuple(exact))
    for mode, values in rates.items():
        assert len(counts[mode]) == 1, f"{mode}: counts differ between rounds: {counts[mode]}"
        hops, events, dropped = counts[mode].pop()
        print(
            f"{mode:9} {statistics.median(values):14,.0f} packet-hops/s"
            f"  (min {min(values):,.0f}, max {max(values):,.0f})"
            f"  {hops} packet-hops, {events} events, {dropped} dropped"
        )


if __name__ == "__main__":
    main()

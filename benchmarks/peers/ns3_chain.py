"""ns-3 (the wheel `ns3` on PyPI): a chain of TbfQueueDisc links, in a process of its own.

    python -m benchmarks.peers.ns3_chain 10000 4 1000 1250000000 1000000000

C++ does the work; Python only sets it up, and that is not measured: `seconds` is Simulator::Run() alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.measure import AbsentError

HOW = "pip install ns3"


def available() -> None:
    """Do nothing.

    Raises:
        AbsentError: not installed.
    """
    if importlib.util.find_spec("ns3") is None:
        raise AbsentError(HOW)


def run_in_process(packets: int, links: int, packet_bytes: int, offered_bps: int, rate_bps: int) -> dict[str, Any]:
    """`seconds` of Run(), and counts."""
    given = [packets, links, packet_bytes, offered_bps, rate_bps]
    command = [sys.executable, "-m", "benchmarks.peers.ns3_chain", *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise AbsentError(f"ns3 is there but does not run: {done.stderr.strip().splitlines()[-1:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def run(packets: int, links: int, packet_bytes: int, offered_bps: int, rate_bps: int) -> dict[str, Any]:
    """Build the chain, run it, read the queue discs."""
    from ns3.ns import ns

    wire_bps = 100 * offered_bps  # the token bucket is the bottleneck, not the device behind it
    nodes = ns.NodeContainer()
    nodes.Create(links + 1)
    link = ns.PointToPointHelper()
    link.SetDeviceAttribute("DataRate", ns.StringValue(f"{wire_bps}bps"))
    link.SetDeviceAttribute("Mtu", ns.UintegerValue(1500))
    link.SetChannelAttribute("Delay", ns.StringValue("1ms"))
    stack = ns.InternetStackHelper()
    stack.Install(nodes)
    shaper = ns.TrafficControlHelper()
    shaper.SetRootQueueDisc("ns3::TbfQueueDisc")
    # All at once: the helper takes its attributes as pairs.
    ns.Config.SetDefault("ns3::TbfQueueDisc::Rate", ns.StringValue(f"{rate_bps}bps"))
    ns.Config.SetDefault("ns3::TbfQueueDisc::Burst", ns.UintegerValue(125_000))
    ns.Config.SetDefault("ns3::TbfQueueDisc::MaxSize", ns.StringValue("1000p"))
    addresses = ns.Ipv4AddressHelper()
    discs, last = [], None
    for k in range(links):
        pair = ns.NodeContainer()
        pair.Add(nodes.Get(k))
        pair.Add(nodes.Get(k + 1))
        devices = link.Install(pair)
        discs.append(shaper.Install(devices.Get(0)))
        addresses.SetBase(ns.Ipv4Address(f"10.{k}.0.0"), ns.Ipv4Mask("255.255.255.0"))
        last = addresses.Assign(devices)
    ns.Ipv4GlobalRoutingHelper.PopulateRoutingTables()
    payload = packet_bytes - 28
    gap_ns = packet_bytes * 8 * 10**9 // offered_bps
    server = ns.UdpServerHelper(9)
    received = server.Install(nodes.Get(links))
    client = ns.UdpClientHelper(last.GetAddress(1).ConvertTo(), 9)
    client.SetAttribute("MaxPackets", ns.UintegerValue(packets))
    client.SetAttribute("Interval", ns.TimeValue(ns.NanoSeconds(gap_ns)))
    client.SetAttribute("PacketSize", ns.UintegerValue(payload))
    sender = client.Install(nodes.Get(0))
    sender.Start(ns.Seconds(1))
    received.Start(ns.Seconds(0))
    start = time.perf_counter()
    ns.Simulator.Run()
    seconds = time.perf_counter() - start
    stats = [disc.Get(0).GetStats() for disc in discs]
    hops = sum(s.nTotalReceivedPackets for s in stats)
    dropped = sum(s.nTotalDroppedPackets for s in stats)
    delivered = stats[-1].nTotalSentPackets
    ns.Simulator.Destroy()
    return {"seconds": seconds, "packet_hops": int(hops), "dropped": int(dropped), "delivered": int(delivered)}


def main() -> None:
    """Print the result as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for name in ("packets", "links", "packet_bytes", "offered_bps", "rate_bps"):
        parser.add_argument(name, type=int)
    print(json.dumps(run(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()

"""How fast are the frames of a flow built, beside scapy building the same?

    python -m benchmarks.bench_frames [--quick]

UDP packets of 1000 bytes with a number in the payload, checksums and all; the first must be equal byte for byte.
"""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Plan, Row, Sample, Side, Stopwatch, compare, standalone
from netsim.packet.flow_packets import FlowPackets
from netsim.prefix import format_addr, parse_addr

BLOCK = 10_000
"""Frames made at once, as a capture is written."""
SRC, DST = parse_addr("10.0.0.10"), parse_addr("10.1.0.20")


def run(plan: Plan) -> list[Row]:
    """Against scapy, which netsim depends on anyway."""
    from scapy.layers.inet import IP, UDP
    from scapy.packet import Raw

    flow = FlowPackets(flow=7, src=SRC, dst=DST, src_port=50_000, dst_port=5201, packet_bytes=1000)
    blocks, few = plan.size(2, 30), plan.size(100, 1_000)
    tail = flow.packet(0)[28 + 12 :]
    src, dst = format_addr(SRC), format_addr(DST)

    def with_scapy(seq: int) -> bytes:
        payload = (7).to_bytes(4, "big") + seq.to_bytes(8, "big") + tail
        packet = IP(src=src, dst=dst, id=seq & 0xFFFF, ttl=64) / UDP(sport=50_000, dport=5201) / Raw(payload)
        return bytes(packet)

    assert [with_scapy(k) for k in range(3)] == [flow.packet(k) for k in range(3)], "scapy builds other bytes"

    def ours() -> Sample:
        watch = Stopwatch()
        frames = size_bytes = 0
        for k in range(blocks):
            made = flow.packets(np.arange(k * BLOCK, (k + 1) * BLOCK, dtype=np.int64))
            frames, size_bytes = frames + len(made), size_bytes + len(made.buffer)
        return Sample(watch.seconds, frames, {"frames": frames, "bytes": size_bytes})

    def theirs() -> Sample:
        watch = Stopwatch()
        made = [with_scapy(seq) for seq in range(few)]
        return Sample(watch.seconds, few, {"frames": few, "bytes": sum(map(len, made))})

    side, peer = Side("netsim", ours), Side("scapy", theirs)
    return compare("frames built from a flow", "frames/s", side, [(peer, "scapy", 800)], plan.rounds)


if __name__ == "__main__":
    standalone(run, __doc__)

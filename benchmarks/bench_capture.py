"""How fast is a capture read to columns, beside scapy's raw reader reading it at all?

    python -m benchmarks.bench_capture [--quick]

scapy's RawPcapReader yields bytes and a header for each packet and looks no further; netsim's reader ends
with times, lengths and where each IP header starts, as arrays.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Plan, Row, Sample, Side, Stopwatch, compare, standalone

PACKET_BYTES = 500


def write_capture(path: Path, packets: int) -> None:
    """A capture of Ethernet frames with IPv4 in them."""
    from netsim.packet.flow_packets import FlowPackets

    made = FlowPackets(flow=1, src=10 << 24 | 1, dst=10 << 24 | 2, packet_bytes=PACKET_BYTES)
    bodies = made.packets(np.arange(packets, dtype=np.int64)).buffer.reshape(packets, PACKET_BYTES)
    length = PACKET_BYTES + 14
    records = np.zeros((packets, 16 + length), np.uint8)
    words = np.zeros((packets, 4), "<u4")
    words[:, 0], words[:, 1] = np.arange(packets) // 1000, np.arange(packets) % 1000 * 1000
    words[:, 2:] = length
    records[:, :16] = words.view(np.uint8)
    records[:, 28] = 8  # EtherType 0x0800
    records[:, 30:] = bodies
    head = np.array([0xA1B2C3D4, 4 << 16 | 2, 0, 0, 262_144, 1], "<u4").tobytes()
    path.write_bytes(head + records.tobytes())


def run(plan: Plan) -> list[Row]:
    """Against scapy."""
    from scapy.utils import RawPcapReader

    from netsim.wire.capture_file import read_capture

    packets = plan.size(20_000, 500_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.pcap"
        write_capture(path, packets)

        def ours() -> Sample:
            watch = Stopwatch()
            capture = read_capture(path)
            size = int(capture.packets.lengths.sum())
            return Sample(watch.seconds, packets, {"packets": len(capture.packets), "bytes": size})

        def theirs() -> Sample:
            watch = Stopwatch()
            with RawPcapReader(str(path)) as reader:
                sizes = [len(frame) - 14 for frame, _ in reader]
            return Sample(watch.seconds, packets, {"packets": len(sizes), "bytes": sum(sizes)})

        side, peer = Side("netsim", ours), Side("scapy", theirs)
        return compare("capture read to columns", "packets/s", side, [(peer, "scapy RawPcapReader", 7)], plan.rounds)


if __name__ == "__main__":
    standalone(run, __doc__)

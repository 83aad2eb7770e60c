"""How fast is a capture read to columns, beside scapy's raw reader splitting it into records?

    python -m benchmarks.bench_capture [--quick]

UDP packets of 60 to 1500 bytes in Ethernet frames, 40 % of them full. scapy's RawPcapReader yields bytes and a header
for each record and looks no further, in both rows. netsim's reader ends with arrays: in the first row times, lengths,
and where each IP header starts (link layers looked through, cut packets marked). In the second row all
columns of a packet batch besides: IP header and its checksum, options, ports, TCP and ICMP fields.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Plan, Row, Sample, Side, Stopwatch, compare, standalone

SIZES, SHARES = (60, 300, 576, 1200, 1500), (0.3, 0.1, 0.1, 0.1, 0.4)
FIRST_SECOND = 1_767_225_600
LINK_BYTES = 14
NOTE = "scapy only splits the file into records; in the second row netsim parses layers 3 and 4 too"


def write_capture(path: Path, packets: int) -> None:
    """A capture of Ethernet frames with IPv4 in them, a millisecond apart."""
    from netsim.packet.flow_packets import FlowPackets

    sizes = np.random.Generator(np.random.PCG64(4)).choice(SIZES, packets, p=SHARES).tolist()
    flows = {
        size: FlowPackets(flow=1, src=10 << 24 | 1, dst=10 << 24 | 2, src_port=7, dst_port=9, packet_bytes=size)
        for size in SIZES
    }
    link = bytes(12) + b"\x08\0"
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        for k, size in enumerate(sizes):
            length = LINK_BYTES + size
            file.write(struct.pack("<4I", FIRST_SECOND + k // 1000, k % 1000 * 1000, length, length) + link)
            file.write(flows[size].packet(k))


def run(plan: Plan) -> list[Row]:
    """Against scapy."""
    from scapy.utils import RawPcapReader

    from netsim.packet.parse_many import parse_many
    from netsim.wire.capture_file import read_capture

    packets = plan.size(20_000, 400_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.pcap"
        write_capture(path, packets)

        def records() -> Sample:
            watch = Stopwatch()
            capture = read_capture(path)
            size = int(capture.packets.lengths.sum())
            return Sample(watch.seconds, packets, {"packets": len(capture.packets), "bytes": size})

        def columns() -> Sample:
            watch = Stopwatch()
            parsed = parse_many(read_capture(path).packets)
            counts = {"packets": len(parsed.dispositions), "bytes": int(parsed.batch["size_bytes"].sum())}
            seconds = watch.seconds
            return Sample(seconds, packets, counts | {"good": int((parsed.dispositions == 0).sum())})

        def theirs() -> Sample:
            watch = Stopwatch()
            with RawPcapReader(str(path)) as reader:
                sizes = [len(frame) - LINK_BYTES for frame, _ in reader]
            return Sample(watch.seconds, packets, {"packets": len(sizes), "bytes": sum(sizes)})

        rows = []
        for question, ours, target in (
            ("capture read to columns", records, 7.0),
            ("capture parsed to packet columns", columns, None),
        ):
            peers = [(Side("scapy", theirs), "scapy RawPcapReader", target)]
            rows += compare(question, "packets/s", Side("netsim", ours), peers, plan.rounds, note=NOTE)
        return rows


if __name__ == "__main__":
    standalone(run, __doc__)

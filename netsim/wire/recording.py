"""Recording: capture files of what passes instances and peer connections, as methods. A `Lab` inherits them.

What is recorded stays in memory as rows; the packets' bytes are made when the files are written.
"""

from __future__ import annotations

from pathlib import Path

from netsim.controlplane.inventory import Inventory
from netsim.dataplane.trace import TAP_LINK
from netsim.emulator import Emulator
from netsim.errors import CaptureError, NotFoundError


class Recording(Emulator):
    """A running network whose packets can be recorded."""

    def __init__(self, inventory: Inventory, seed: int = 0) -> None:
        super().__init__(inventory, seed)
        self._captures: list[tuple[frozenset[tuple[bool, int]], Path]] = []

    def capture(self, ref: str, path: str | Path) -> None:
        """Record every packet that passes an instance or a peer connection (both directions) from now
        on; `write_captures` writes the files.

        Raises:
            NotFoundError: neither an instance nor a connection has this name.
            CaptureError: there is no folder to write the file in.
        """
        if not Path(path).parent.is_dir():
            raise CaptureError(str(path), 0, f"can't be written, {Path(path).parent} is no folder")
        taps: set[tuple[bool, int]] = set()
        try:
            inst = self.compiler.inst_of[self.inventory.instance(ref).id]
            self.engine.tap_instance(inst)
            taps.add((False, inst))
        except NotFoundError as no_instance:
            try:
                conn = self.inventory.peer_conn(ref)
            except NotFoundError:
                raise NotFoundError(f"{no_instance} (nor is there a peer connection of that name)") from None
            for link in self.links_of(conn.id):
                self.engine.tap_link(link)
                taps.add((True, link))
        self._captures.append((frozenset(taps), Path(path)))

    def write_captures(self) -> list[Path]:
        """Write what `capture` asked for, each file whole, with nanoseconds; the paths.

        Raises:
            CaptureError: a file can't be written.
        """
        import numpy as np

        from netsim.clock import FILE_RUN_START_NS
        from netsim.packet.packed import PackedPackets
        from netsim.probe.journal import records_of
        from netsim.wire.pcap_writer import write_capture

        records = list(records_of(self.tapped()))
        for taps, path in self._captures:
            mine = [r for r in records if (r.event == TAP_LINK, r.place) in taps and r.at_ns < self.now_ns]
            at_ns = np.array([r.at_ns for r in mine], np.int64)
            packets = PackedPackets.of([self.bytes_of(r.row) for r in mine])
            write_capture(path, at_ns, packets, epoch_ns=FILE_RUN_START_NS)
        return [path for _, path in self._captures]

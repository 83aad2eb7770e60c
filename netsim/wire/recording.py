"""Recording: capture files of what passes instances and peer connections, as methods. A `Lab` inherits them.

What is recorded stays in memory as rows; the packets' bytes are made when the files are written.

A file that ends in `.pcapng` has an interface for each place - an instance, or one direction of a
connection - with its name, and holds the packets that the place dropped, too, with a comment
that says why. Any other file is classic pcap: the packets that passed, one behind the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsim.clock import FILE_RUN_START_NS
from netsim.controlplane.inventory import Inventory
from netsim.controlplane.peer_conn import SIDES, PeerConn
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.trace import J_A, J_EVENT, J_PLACE, TAP_LINK, TAP_RECEIVED
from netsim.emulator import Emulator
from netsim.errors import CaptureError, NotFoundError, UsageError
from netsim.units import BPS_PER_MBPS
from netsim.wire.pcap_writer import write_capture
from netsim.wire.pcapng_writer import INBOUND, OUTBOUND, SeenAt, SeenPackets, write_pcapng

EVERYTHING = "all"
"""The name that means every instance and every connection."""
PCAPNG_SUFFIX = ".pcapng"


class Tap(NamedTuple):
    """A place where packets are recorded: one direction of a link, or an instance."""

    is_link: bool
    number: int


class _Asked(NamedTuple):
    """One capture: its places, what they are called, and the words for a packet dropped there."""

    path: Path
    taps: dict[Tap, SeenAt]
    drop_places: list[str]


class Recording(Emulator):
    """A running network whose packets can be recorded."""

    def __init__(self, inventory: Inventory, seed: int = 0) -> None:
        super().__init__(inventory, seed)
        self._captures: list[_Asked] = []

    def capture(self, ref: str, path: str | Path) -> None:
        """Record every packet that passes a place from now on; `write_captures` writes the files.

        Args:
            ref: an instance, a peer connection (both directions), or "all": every one of both there is.
            path: `.pcapng` or, for one place, classic pcap; replaced if it exists.

        Raises:
            NotFoundError: neither an instance nor a connection has this name.
            UsageError: "all" in a classic pcap file, which can't say where a packet was seen.
            CaptureError: there is no folder to write the file in.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise CaptureError(str(path), 0, f"can't be written, {path.parent} is no folder")
        if ref == EVERYTHING and path.suffix != PCAPNG_SUFFIX:
            raise UsageError(f"capture: {path} can't hold all places, expected a file that ends in {PCAPNG_SUFFIX}")
        asked = _Asked(path, {}, [])
        if ref == EVERYTHING:
            for instance_id in self.inventory.instances:
                self._tap_instance(asked, instance_id)
            for conn in self.inventory.peer_conns.values():
                self._tap_connection(asked, conn)
        else:
            try:
                self._tap_instance(asked, self.inventory.instance(ref).id)
            except NotFoundError as no_instance:
                try:
                    conn = self.inventory.peer_conn(ref)
                except NotFoundError:
                    raise NotFoundError(f"{no_instance} (nor is there a peer connection of that name)") from None
                self._tap_connection(asked, conn)
        self._captures.append(asked)

    def write_captures(self) -> list[Path]:
        """Write what `capture` asked for, each file whole, with nanoseconds; the paths.

        Raises:
            CaptureError: a file can't be written.
        """
        rows = self.tapped()
        rows = rows[rows[:, 0] < self.now_ns]  # a departure is recorded when it is decided
        for asked in self._captures:
            _write(self, asked, rows)
        return [asked.path for asked in self._captures]

    def is_captured(self, inst: int) -> bool:
        """Whether a capture of this instance, by number, was asked for."""
        return any(Tap(is_link=False, number=inst) in asked.taps for asked in self._captures)

    def _tap_instance(self, asked: _Asked, instance_id: str) -> None:
        instance = self.inventory.instances[instance_id]
        number = self.compiler.inst_of[instance_id]
        vpc = self.inventory.vpcs[instance.vpc_id]
        self.engine.tap_instance(number)
        rate_bps = instance.nic_mbps * BPS_PER_MBPS
        asked.taps[Tap(is_link=False, number=number)] = SeenAt(instance.name, f"instance in {vpc.name}", rate_bps)
        asked.drop_places.append(f"at the interface of {instance.name}")

    def _tap_connection(self, asked: _Asked, conn: PeerConn) -> None:
        name = conn.name or conn.id
        for side, link in zip(SIDES, self.links_of(conn.id), strict=True):
            near, far = conn.side(side), conn.side("peer" if side == "local" else "local")
            # The other side's VPC may be gone: then its id is all there is to say.
            here, there = (_vpc_name(self.inventory, end.vpc_id) for end in (near, far))
            self.engine.tap_link(link)
            seen = SeenAt(f"{name}:{side}", f"{name}, from {here} to {there}", conn.bandwidth_mbps * BPS_PER_MBPS)
            asked.taps[Tap(is_link=True, number=link)] = seen
            asked.drop_places.append(f"at the cap of {name}, from {here} to {there}")


def _vpc_name(inventory: Inventory, vpc_id: str) -> str:
    vpc = inventory.vpcs.get(vpc_id)
    return vpc_id if vpc is None else vpc.name


def _write(emulator: Emulator, asked: _Asked, rows: NDArray[np.int64]) -> None:
    place_of = {tap: k for k, tap in enumerate(asked.taps)}
    place = _places(rows, place_of)
    fate = rows[:, J_A]  # 0 for a packet that passed
    if asked.path.suffix != PCAPNG_SUFFIX:
        passed = rows[(place >= 0) & (fate == 0)]
        write_capture(asked.path, passed[:, 0], emulator.packets.packed(passed), epoch_ns=FILE_RUN_START_NS)
        return
    mine = place >= 0
    rows, place, fate = rows[mine], place[mine], fate[mine]
    fates = np.unique(fate[fate > 0]).tolist()
    comments = [f"dropped: {Disposition(f).symbol} {where}" for f in fates for where in asked.drop_places]
    nth_fate = np.searchsorted(np.array(fates, np.int64), fate)
    seen = SeenPackets(
        at_ns=rows[:, 0],
        place=place,
        direction=np.where(rows[:, J_EVENT] == TAP_RECEIVED, INBOUND, OUTBOUND),
        comment=np.where(fate > 0, nth_fate * len(asked.drop_places) + place, -1),
        packets=emulator.packets.packed(rows),
        is_dropped=fate > 0,
    )
    write_pcapng(asked.path, list(asked.taps.values()), seen, comments, epoch_ns=FILE_RUN_START_NS)


def _places(rows: NDArray[np.int64], place_of: Mapping[Tap, int]) -> NDArray[np.int64]:
    """Where each row was recorded, by number; -1 for nowhere of these."""
    is_link = rows[:, J_EVENT] == TAP_LINK
    place = np.full(len(rows), -1, np.int64)
    for kind in (False, True):
        numbers = {tap.number: k for tap, k in place_of.items() if tap.is_link is kind}
        # One more than the largest, for all that are larger: nowhere.
        table = np.full(max(numbers, default=-1) + 2, -1, np.int64)
        table[list(numbers)] = list(numbers.values())
        mine = is_link == kind
        place[mine] = table[np.minimum(rows[mine, J_PLACE], len(table) - 1)]
    return place

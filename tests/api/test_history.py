"""Samples outlive the server, and end after forty days."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.api.history import RETENTION_NS
from netsim.api.service import Service, Start
from netsim.controlplane import edit
from netsim.emulator import Emulator
from netsim.store.database import StoreError
from netsim.store.samples import SampleRow, SampleStore
from netsim.traffic.flow import FlowSpec
from netsim.units import NS_PER_DAY, NS_PER_S

WALL_NS = 1_800_000_000 * NS_PER_S
START = Start(
    edits=(
        edit.CreateAccount("acme"),
        edit.CreateVpc("a", "bj", "10.0.0.0/16", account="acme"),
        edit.CreateVpc("b", "bj", "10.1.0.0/16", account="acme"),
        edit.CreateSubnet("a", "s", "10.0.0.0/24"),
        edit.CreateSubnet("b", "t", "10.1.0.0/24"),
        edit.CreateInstance("a-1", "s", "10.0.0.10"),
        edit.CreateInstance("b-1", "t", "10.1.0.10"),
        edit.CreatePeerConn("a", "b", 10, "c", "to-b", "to-a"),
        edit.CreateRoute("a", "0.0.0.0/0", "10.1.0.0/16", "to-b"),
    )
)


class Served:
    def __init__(self, path: Path) -> None:
        self.path, self.wall_ns = path, WALL_NS
        self.service = self._open()

    def _open(self) -> Service:
        return Service(self.path, lambda: self.wall_ns, START, speed=0)

    def restart(self, later_ns: int = 0) -> None:
        self.service.close()
        self.wall_ns += later_ns
        self.service = self._open()

    def send(self, seconds: int) -> None:
        def start(emulator: Emulator) -> None:
            spec = FlowSpec(
                name="f", from_ref="a-1", to_ref="b-1", rate_bps=800_000, packet_bytes=1000,
                duration_ns=seconds * NS_PER_S,
            )  # fmt: skip
            from_id, to_id = (emulator.inventory.instance(name).id for name in ("a-1", "b-1"))
            emulator.start_flow(spec, from_id, to_id)

        self.service.real.call(start)
        self.service.real.step((seconds + 1) * NS_PER_S)

    def seen(self) -> list[int]:
        """Egress bytes of each sample of the first side."""

        def look(emulator: Emulator) -> list[int]:
            (conn_id,) = emulator.inventory.peer_conns
            series = self.service.history.series(emulator, conn_id, "local", 0, 2**62)
            return [int(n) for n in series.counters["egress_bytes"]]

        return self.service.read(look)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path / "cloud.db")
    yield made
    made.service.close()


def test_samples_are_there_after_a_restart(served: Served) -> None:
    served.send(90)
    before = served.seen()
    assert sum(before) == 90 * 100_000 and before[0] == 60 * 100_000
    served.restart(300 * NS_PER_S)
    assert served.seen()[: len(before)] == before
    served.send(10)
    assert sum(served.seen()) == 100 * 100_000


def test_moving_samples_to_disk_changes_nothing_that_is_seen(served: Served) -> None:
    served.send(150)
    before = served.seen()
    assert len(before) == 3
    served.service.history.move_complete()
    assert served.seen() == before
    in_memory = served.service.read(lambda e: sum(1 for _ in e.monitor.samples()))
    assert in_memory == 2  # the open sample, of either side
    served.service.history.move_complete()
    assert served.seen() == before


def test_forty_days_are_kept(served: Served) -> None:
    served.send(60)
    served.restart(RETENTION_NS - NS_PER_DAY)
    assert sum(served.seen()) == 60 * 100_000
    served.restart(2 * NS_PER_DAY)
    assert sum(served.seen()) == 0
    served.service.history.move_complete()
    connection = sqlite3.connect(f"{served.path}.samples")
    assert not connection.execute("SELECT sum(egress_bytes) FROM sample").fetchone()[0]
    connection.close()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.samples"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    with pytest.raises(StoreError, match="holds no samples"):
        SampleStore(path)
    path.write_bytes(b"neither fish nor fowl" * 500)
    with pytest.raises(StoreError, match="holds no samples"):
        SampleStore(path)


def test_a_sample_that_grew_replaces_what_it_was(tmp_path: Path) -> None:
    store = SampleStore(tmp_path / "x.samples")
    for length in (10, 20):
        store.add([SampleRow("peerconn-1", "local", 1000, length, 10**6, (length,) * 8)])
    series = store.series("peerconn-1", "local", 0, 2000, 60)
    assert series.length_ns.tolist() == [20] and series.total("egress_bytes") == 20
    assert len(store.series("peerconn-1", "local", 1001, 2000, 60)) == 0
    store.close()

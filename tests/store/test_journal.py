"""What was flushed is there again, ids, deadlines and events included; what was not is gone without a trace."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.clock import VirtualClock
from netsim.controlplane import edit
from netsim.controlplane.edit import Edit
from netsim.controlplane.inventory import Inventory
from netsim.store.check import check_database
from netsim.store.database import MAX_ROWS, Answer, Database, StoreError
from netsim.store.journal import Journal
from netsim.units import NS_PER_S
from tests.controlplane.snapshot import snapshot

DAY_NS = 86_400 * NS_PER_S


OPENED: list[Database] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


class Owner:
    """What a server does with its journal, without the server."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        OPENED.append(self.database)
        self.journal = Journal(self.database)
        self.journal.start(seed=7, profile="product")
        self.clock = VirtualClock(0)
        self.inventory: Inventory = self.journal.play(self.clock)
        self.events = len(self.inventory.events)

    def change(self, *edits: Edit[object], account: str | None = None) -> object:
        result = self.inventory.apply(*edits, account=account)
        new = self.inventory.events[self.events :]
        self.events = len(self.inventory.events)
        self.journal.record(edits, at_ns=self.clock.now_ns, account=account, events=new)
        return result

    def close(self) -> None:
        self.database.close()


def fill(owner: Owner) -> None:
    owner.change(edit.CreateAccount("acme"), edit.CreateAccount("other"))
    owner.change(edit.CreateVpc("shop", "bj", "10.0.0.0/16"), account="acme")
    owner.change(edit.CreateVpc("data", "gz", "10.1.0.0/16"), account="other")
    owner.change(edit.CreateSubnet("shop", "web", "10.0.0.0/24"), edit.CreateInstance("web-1", "web"), account="acme")
    owner.clock.advance_by(DAY_NS)
    peer_vpc = next(vpc.id for vpc in owner.inventory.vpcs.values() if vpc.name == "data")
    owner.change(
        edit.CreatePeerConn("shop", peer_vpc, 100, "c", "out", peer_account="other", peer_region="gz"), account="acme"
    )
    owner.change(edit.CreateRoute("shop", "0.0.0.0/0", "10.1.0.0/16", "out"), account="acme")


def test_a_reopened_database_is_the_same_cloud(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "cloud.db")
    fill(owner)
    owner.journal.flush()
    before, now_ns = snapshot(owner.inventory), owner.clock.now_ns
    owner.close()
    again = Owner(tmp_path / "cloud.db")
    assert again.clock.now_ns == now_ns
    assert snapshot(again.inventory) == before
    assert check_database_after(again, tmp_path / "cloud.db") == []


def check_database_after(owner: Owner, path: Path) -> list[str]:
    owner.close()
    return check_database(path)


def test_a_deadline_that_passed_while_nobody_looked_is_met_when_it_was_due(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "cloud.db")
    fill(owner)
    owner.journal.flush()
    asked_ns = owner.clock.now_ns
    owner.close()
    again = Owner(tmp_path / "cloud.db")
    again.clock.advance_by(30 * DAY_NS)
    again.inventory.tick()
    assert again.inventory.events[-1].what == "timed_out"
    assert again.inventory.events[-1].at_ns == asked_ns + 7 * DAY_NS
    # The next change carries the event of the clock with it.
    again.change(edit.CreateVpc("third", "bj", "10.9.0.0/16"), account="acme")
    again.journal.flush()
    before = snapshot(again.inventory)
    again.close()
    assert snapshot(Owner(tmp_path / "cloud.db").inventory) == before


def test_what_was_not_flushed_is_gone_whole(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "cloud.db")
    fill(owner)
    owner.journal.flush()
    before = snapshot(owner.inventory)
    owner.change(edit.CreateVpc("lost", "bj", "10.8.0.0/16"), account="acme")
    owner.journal.remember("acme", "token", Answer("hash", 200, "{}", 0))
    owner.close()
    again = Owner(tmp_path / "cloud.db")
    assert snapshot(again.inventory) == before
    assert again.database.answer("acme", "token") is None


def test_more_changes_than_one_statement_takes_are_flushed_at_once(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "cloud.db")
    fill(owner)
    vpc_id = next(iter(owner.inventory.vpcs))
    for number in range(2 * MAX_ROWS):
        owner.change(edit.UpdateVpc(vpc_id, name=f"v{number}"))
        owner.journal.remember("acme", f"token-{number}", Answer("hash", 200, "{}", number))
    owner.journal.remember("acme", "token-0", Answer("hash", 200, '{"last": 1}', 9))
    owner.journal.flush()
    owner.close()
    again = Owner(tmp_path / "cloud.db")
    assert again.journal.version == owner.journal.version
    assert again.inventory.vpcs[vpc_id].name == f"v{2 * MAX_ROWS - 1}"
    assert len(again.database.answers()) == 2 * MAX_ROWS
    assert again.database.answer("acme", "token-0") == Answer("hash", 200, '{"last": 1}', 9)


def test_an_answer_is_kept_with_its_change(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "cloud.db")
    owner.change(edit.CreateAccount("acme"))
    owner.journal.remember("acme", "token", Answer("hash", 200, '{"vpcId":"vpc-1"}', 5))
    owner.journal.flush()
    owner.close()
    database = Database(tmp_path / "cloud.db")
    assert database.answer("acme", "token") == Answer("hash", 200, '{"vpcId":"vpc-1"}', 5)
    assert database.answer("other", "token") is None
    with database.transaction() as transaction:
        transaction.forget_answers(6)
    assert database.answer("acme", "token") is None
    database.close()


def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud.db"
    script = (
        f"from netsim.store.database import Database; opened = Database({str(path)!r}); "
        "print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None and first.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=rf"another server uses this file \(process {first.pid}\)$"):
            Database(path)
        first.kill()
    Database(path).close()  # a killed one leaves no lock behind


def test_a_file_of_a_newer_netsim_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema 99, this netsim knows up to 1"):
        Database(path)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 50, b"\0" * 4096])
def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cloud.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="no netsim database"):
        Database(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(StoreError, match="is no netsim database"):
        Database(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be opened"):
        Database(tmp_path / "no" / "cloud.db")


def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Database(tmp_path / "cloud.db").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "cloud.db").stat().st_mode) == 0o600


def test_a_damaged_journal_is_found(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "cloud.db")
    fill(owner)
    owner.journal.flush()
    owner.close()
    path = tmp_path / "cloud.db"
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM change WHERE version = 2")
    assert check_database(path) == [f"{path}: change 2 is missing"]
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE change SET version = version - 1 WHERE version > 2")
    assert len(check_database(path)) == 1 and "can't be made again" in check_database(path)[0]


def test_events_that_were_tampered_with_are_found(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "cloud.db")
    fill(owner)
    owner.journal.flush()
    owner.close()
    with sqlite3.connect(tmp_path / "cloud.db") as connection:
        connection.execute("UPDATE event SET what = 'deleted' WHERE seq = 1")
    assert "event 1" in check_database(tmp_path / "cloud.db")[0]

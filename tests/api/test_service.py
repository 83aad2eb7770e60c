"""What was answered is on disk; requests of many threads share the disk and the network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from netsim.api.service import TOKEN_LIFE_NS, Service, Start
from netsim.controlplane import edit
from netsim.errors import ConflictError, QuotaError
from netsim.store.check import check_database
from netsim.store.database import StoreError
from netsim.units import NS_PER_S

WALL_NS = 1_800_000_000 * NS_PER_S
START = Start(seed=3, edits=(edit.CreateAccount("acme"), edit.CreateAccount("other")))


class Served:
    """Services that end with the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wall_ns = WALL_NS
        self.open: list[Service] = []

    def __call__(self) -> Service:
        self.open.append(Service(self.path, lambda: self.wall_ns, START))
        return self.open[-1]

    def close(self) -> None:
        while self.open:
            self.open.pop().close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    services = Served(tmp_path / "cloud.db")
    yield services
    services.close()


def vpc(name: str, number: int) -> edit.CreateVpc:
    return edit.CreateVpc(name, "bj", f"10.{number}.0.0/16")


def names(service: Service) -> list[str]:
    return service.read(lambda emulator: [vpc.name for vpc in emulator.inventory.vpcs.values()])


def test_a_change_is_there_after_a_restart(served: Served) -> None:
    service = served()
    made = service.change(vpc("shop", 1), account="acme").result
    served.close()
    again = served()
    assert again.read(lambda e: e.inventory.vpcs[made.id].name) == "shop"
    assert again.change(vpc("data", 2), account="acme").result.id != made.id


def test_what_nobody_waited_for_is_written_before_the_end(served: Served) -> None:
    service = served()
    service.without_waiting(lambda: service.change(vpc("shop", 1), account="acme"))
    served.close()
    assert names(served()) == ["shop"]


def test_one_visit_to_the_disk_serves_all_who_wait(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    service = served()
    visits = []
    write = service._journal.write

    def count(records: list[Any]) -> None:
        visits.append(len(records))
        write(records)

    monkeypatch.setattr(service._journal, "write", count)

    async def ask(number: int) -> None:
        _, owed = service.without_waiting(lambda: service.change(vpc(f"v{number}", number), account="acme"))
        await service.writer.durable(owed)

    async def all_at_once() -> None:
        await asyncio.gather(*(ask(number) for number in range(1, 6)))

    asyncio.run(all_at_once())
    assert visits == [5]


def test_what_was_answered_was_on_disk_already(served: Served, tmp_path: Path) -> None:
    """The file is copied while the server runs, as if the power had failed just then."""
    service = served()
    service.change(vpc("shop", 1), account="acme")
    for name in ("cloud.db", "cloud.db-wal"):
        (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
    (tmp_path / "copy-cloud.db-wal").rename(tmp_path / "copy.db-wal")
    (tmp_path / "copy-cloud.db").rename(tmp_path / "copy.db")
    copy = Service(tmp_path / "copy.db", lambda: WALL_NS)
    served.open.append(copy)
    assert names(copy) == ["shop"]


def test_a_refusal_changes_nothing(served: Served) -> None:
    service = served()
    service.change(vpc("shop", 1), account="acme")
    with pytest.raises(ConflictError):
        service.change(
            edit.CreateSubnet("shop", "a", "10.1.0.0/24"), edit.CreateSubnet("shop", "b", "10.1.0.0/24"), account="acme"
        )
    served.close()
    assert served().read(lambda e: len(e.inventory.subnets)) == 0


def test_a_token_gets_its_first_answer_again_also_after_a_restart(served: Served) -> None:
    def ask(service: Service, name: str) -> Any:
        return service.change(
            vpc(name, 1), account="acme", token="t", request_hash="h", answer=lambda made: (200, made.id)
        )

    service = served()
    first = ask(service, "shop")
    assert first.answer is None
    assert ask(service, "other").answer.body == first.result.id
    served.close()
    service = served()
    assert ask(service, "third").answer.body == first.result.id
    assert names(service) == ["shop"]


def test_a_refused_request_is_not_remembered(served: Served) -> None:
    service = served()
    for _ in range(2):
        with pytest.raises(ConflictError):
            service.change(
                vpc("a", 1), edit.CreateSubnet("a", "s", "10.1.0.0/24"), edit.CreateSubnet("a", "t", "10.1.0.0/24"),
                account="acme", token="t",
            )  # fmt: skip
    assert service.change(vpc("a", 1), account="acme", token="t", answer=lambda _: (200, "")).answer is None


def test_tokens_are_each_accounts_own(served: Served) -> None:
    service = served()
    for account in ("acme", "other"):
        assert service.change(vpc("v", 1), account=account, token="t", answer=lambda _: (200, "")).answer is None


def test_answers_are_forgotten_a_day_after_they_were_last_seen(served: Served) -> None:
    def ask(service: Service, token: str) -> bool:
        """Whether it was an old answer."""
        changed = service.change(
            edit.UpdateVpc("shop", description=token), account="acme", token=token, answer=lambda _: (200, "")
        )
        return changed.answer is not None

    service = served()
    service.change(vpc("shop", 1), account="acme")
    assert [ask(service, token) for token in ("a", "b", "c")] == [False] * 3
    service.advance_control_clock(TOKEN_LIFE_NS - 60 * NS_PER_S)
    assert ask(service, "b")
    served.close()
    service = served()  # when it was seen is on disk as well
    service.advance_control_clock(120 * NS_PER_S)
    assert ask(service, "b")
    assert set(service.database.answers()) == {("acme", "b")}
    assert not ask(service, "a")


def test_a_moved_control_clock_stays_moved(served: Served) -> None:
    service = served()
    service.advance_control_clock(7 * 86_400 * NS_PER_S)
    late_ns = service.read(lambda e: e.inventory.clock.now_ns)
    assert late_ns >= WALL_NS + 7 * 86_400 * NS_PER_S
    served.close()
    served.wall_ns += 60 * NS_PER_S
    assert served().read(lambda e: e.inventory.clock.now_ns) >= WALL_NS + (7 * 86_400 + 60) * NS_PER_S


def test_thirty_two_clients_race_for_the_last_slots(served: Served) -> None:
    service = served()
    won: list[str] = []

    def ask(n: int) -> None:
        with suppress(QuotaError):
            won.append(service.change(vpc(f"v{n}", n), account="acme").result.id)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 33)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == len(set(won)) == 10
    served.close()
    assert len(names(served())) == 10
    served.close()
    assert check_database(served.path) == []


def test_when_the_disk_fails_nobody_is_told_all_is_well(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    service = served()

    def fail(_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(service._journal, "write", fail)
    with pytest.raises(StoreError, match="disk full"):
        service.change(vpc("shop", 1), account="acme")
    with pytest.raises(StoreError, match="start the server anew"):
        names(service)
    monkeypatch.undo()
    served.close()
    assert names(served()) == []

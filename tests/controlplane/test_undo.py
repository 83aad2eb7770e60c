"""The undo log puts everything back, the order of keys too."""

from __future__ import annotations

from netsim.controlplane.undo import UndoLog


def _number(resource_id: str) -> int:
    return int(resource_id[1:])


class Record:
    def __init__(self) -> None:
        self.value = 1


def test_rollback_takes_back_new_changed_and_removed_keys() -> None:
    table = {"r0": 0, "r1": 1, "r2": 2}
    log = UndoLog()
    log.put(table, "r3", 3)
    log.put(table, "r1", 11)
    log.remove_in_order(table, "r0")
    log.remove_in_order(table, "r3")
    log.rollback(_number)
    assert list(table.items()) == [("r0", 0), ("r1", 1), ("r2", 2)]


def test_a_removed_key_comes_back_to_its_place() -> None:
    table = {f"r{i}": i for i in range(12)}
    log = UndoLog()
    for key in ("r3", "r10", "r0"):
        assert log.remove_in_order(table, key) == _number(key)
    log.rollback(_number)
    assert list(table) == [f"r{i}" for i in range(12)]


def test_rollback_restores_fields_and_sorted_lists() -> None:
    record, numbers = Record(), [10, 20, 30]
    log = UndoLog()
    log.set_field(record, "value", 2)
    log.set_field(record, "value", 3)
    log.insert_sorted(numbers, 25)
    log.delete_sorted(numbers, 10)
    assert (record.value, numbers) == (3, [20, 25, 30])
    log.rollback(_number)
    assert (record.value, numbers) == (1, [10, 20, 30])


def test_what_is_committed_stays() -> None:
    table: dict[str, int] = {}
    log = UndoLog()
    log.put(table, "r0", 0)
    log.commit()
    log.put(table, "r1", 1)
    log.rollback(_number)
    assert table == {"r0": 0}

"""Export: the rows of a run's JSON, CSV, and files that appear whole."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from netsim.errors import UsageError
from netsim.monitor.export import SAMPLE_COLUMNS, sample_rows, to_csv, to_json, write_text
from netsim.monitor.monitor import Monitor

S = 1_000_000_000


@pytest.fixture
def watched(world: Any, monitor: Monitor) -> Monitor:
    world.send(0, n_bytes=12_345, packets=9, dropped=2)
    monitor.observe(S, world.counters)
    monitor.observe(S + S // 2, world.counters)
    return monitor


def test_rows_are_those_of_the_contract(watched: Monitor) -> None:
    rows = sample_rows(watched.samples())
    assert rows[0] == {
        "peer_connection": "c0", "side": "local", "start_s": 0, "period_s": 1,
        "egress_bytes": 12_345, "ingress_bytes": 0, "egress_bps": 98_760, "ingress_bps": 0,
        "egress_packets": 9, "ingress_packets": 0, "egress_dropped_packets": 2, "ingress_dropped_packets": 0,
    }  # fmt: skip
    assert [(row["side"], row["start_s"], row["period_s"]) for row in rows] == [
        ("local", 0, 1), ("peer", 0, 1), ("local", 1, 0.5), ("peer", 1, 0.5),
    ]  # fmt: skip
    assert all(tuple(row) == SAMPLE_COLUMNS for row in rows)


def test_json_and_csv_say_the_same(watched: Monitor) -> None:
    rows = sample_rows(watched.samples())
    assert json.loads(to_json(watched.samples())) == rows
    table = list(csv.DictReader(io.StringIO(to_csv(watched.samples()))))
    assert table == [{key: str(value) for key, value in row.items()} for row in rows]


def test_nothing_is_an_empty_list_and_a_lone_header() -> None:
    assert to_json([]) == "[]\n"
    assert to_csv([]) == ",".join(SAMPLE_COLUMNS) + "\n"


def test_names_with_commas_and_quotes_survive(make_world: Any, make_connection: Any) -> None:
    world, monitor = make_world(2), Monitor(S)
    monitor.describe(0, [make_connection(name='a,"b"\nü')], world.counters)
    monitor.observe(S, world.counters)
    assert next(csv.DictReader(io.StringIO(to_csv(monitor.samples()))))["peer_connection"] == 'a,"b"\nü'
    assert json.loads(to_json(monitor.samples()))[0]["peer_connection"] == 'a,"b"\nü'


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("old", encoding="utf-8")
    write_text(path, "néw\n")
    assert path.read_bytes() == "néw\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent/x\.csv: can't be written: No such file"):
        write_text(tmp_path / "absent" / "x.csv", "")

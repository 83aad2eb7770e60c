"""The garbage collector is off inside and afterwards as it was, whatever happened."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from netsim.collector import paused_collector
from netsim.topology_file import new_topology, read_topology


@pytest.fixture(autouse=True)
def collector_on() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_it_is_off_inside_and_on_again_after_an_error() -> None:
    seen: list[bool] = []
    with pytest.raises(ZeroDivisionError), paused_collector():
        seen.append(gc.isenabled() or bool(1 // 0))
    assert seen == []
    assert gc.isenabled()
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_nests_and_leaves_a_collector_that_was_off_alone() -> None:
    with paused_collector():
        with paused_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    with paused_collector():
        pass
    assert not gc.isenabled()


def test_loading_a_file_leaves_the_collector_on() -> None:
    read_topology(new_topology("two-vpcs"))
    assert gc.isenabled()

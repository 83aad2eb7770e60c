"""The exception tree: what a command ends with, and what each error carries."""

from __future__ import annotations

import inspect
import re

import pytest

from netsim import errors
from netsim.errors import CaptureError, NetsimError, Problem, QuotaError, RefusedError, TopologyError

EXIT_CODES = {
    "NetsimError": 70, "UsageError": 2, "TopologyError": 3, "CaptureError": 3, "RefusedError": 4,
    "NotFoundError": 4, "InvalidError": 4, "ConflictError": 4, "QuotaError": 4, "StateError": 4,
    "CapabilityError": 6, "ClockError": 70,
}  # fmt: skip


def classes() -> dict[str, type[NetsimError]]:
    """Every error class of the module."""
    found = inspect.getmembers(errors, lambda thing: inspect.isclass(thing) and issubclass(thing, Exception))
    return dict(found)


def test_each_error_ends_a_command_with_its_code() -> None:
    assert {name: error.exit_code for name, error in classes().items()} == EXIT_CODES
    assert all(issubclass(error, NetsimError) for error in classes().values())


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = re.findall(r"^    ([ │├└─]*)(\w+Error)\b(?: +(\d+))?", errors.__doc__ or "", re.MULTILINE)
    assert [name for _, name, _ in drawn] == list(dict.fromkeys(name for _, name, _ in drawn))
    assert {name for _, name, _ in drawn} == set(EXIT_CODES)
    above: list[str] = []
    for lines, name, code in drawn:
        above[len(lines) // 4 :] = [name]
        if len(above) > 1:
            assert classes()[name].__bases__[0].__name__ == above[-2]
        assert not code or int(code) == EXIT_CODES[name]


def test_a_topology_error_shows_every_problem_in_order_of_place() -> None:
    late, early = Problem(9, 3, "vpcs[0].cidr", "is wrong"), Problem(2, 1, "", "is wrong too")
    whole = Problem(0, 0, "", "is empty")
    error = TopologyError("net.yaml", [late, early, whole])
    assert error.problems == [whole, early, late]
    assert str(error).split("\n") == [
        "net.yaml: is empty",
        "net.yaml:2:1: is wrong too",
        "net.yaml:9:3  vpcs[0].cidr: is wrong",
    ]


def test_a_capture_error_says_where() -> None:
    error = CaptureError("web.pcap", 24, "record is cut off")
    assert (str(error), error.offset) == ("web.pcap: at byte 24: record is cut off", 24)


def test_a_refusal_names_the_field_and_a_quota_how_many() -> None:
    assert (RefusedError("no").field, RefusedError("no", field="cidr").field, RefusedError("no").edit_index) == (
        "",
        "cidr",
        0,
    )
    quota = QuotaError("full", limit="routes_per_vpc", accepted=50, field="vpc")
    assert (quota.limit, quota.accepted, quota.field, str(quota)) == ("routes_per_vpc", 50, "vpc", "full")
    with pytest.raises(RefusedError):
        raise quota

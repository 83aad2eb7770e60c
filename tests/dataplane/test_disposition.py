from __future__ import annotations

from netsim.dataplane.disposition import FATES, N_DISPOSITIONS, NO_ERROR, Disposition, icmp_error_of, is_ok


def test_each_disposition_has_its_row_at_its_number() -> None:
    assert [fate.disposition for fate in FATES] == list(Disposition) == list(range(N_DISPOSITIONS))


def test_conditions_are_one_sentence_each_and_differ() -> None:
    conditions = [fate.condition for fate in FATES]
    assert all(text.endswith(".") and text.count(". ") == 0 for text in conditions)
    assert len(set(conditions)) == len(conditions)


def test_what_counts_as_delivered_and_what_says_why_not() -> None:
    """Design section 3."""
    assert [d.symbol for d in Disposition if is_ok(d)] == ["delivered", "exits_network"]
    told = {d.symbol: icmp_error_of(d) for d in Disposition if icmp_error_of(d) != NO_ERROR}
    assert told == {"host_unreachable": (3, 1), "no_route": (3, 0), "ttl_expired": (11, 0), "mtu_exceeded": (3, 4)}

"""dig from Python, and DNS names where other names may stand."""

from __future__ import annotations

import dns.message
import pytest

from netsim.controlplane.edit import CreateDnsRecord, SetDnsSync
from netsim.errors import InvalidError, NotFoundError, UsageError
from netsim.lab import Lab
from netsim.prefix import parse_addr
from netsim.probe.dns_text import DnsData, labels_of, read_message, type_number, write_query
from netsim.units import NS_PER_S
from tests.clouds import DB_1, WEB_1, two_vpc_lab


@pytest.fixture
def lab() -> Lab:
    made = two_vpc_lab()
    made.apply(CreateDnsRecord("shop", "www.shop.local", WEB_1), CreateDnsRecord("data", "db.data.local", DB_1))
    return made


def test_dig_tells_what_came_and_when(lab: Lab) -> None:
    found = lab.dig("web-1", "WWW.shop.local")
    assert (found.rcode, found.addrs, found.failures, found.transport) == ("NOERROR", (parse_addr(WEB_1),), (), "udp")
    assert found.answers == (DnsData("WWW.shop.local.", 60, "IN", "A", WEB_1),)
    assert found.server_addr == parse_addr("192.168.0.2")
    assert found.rtt_ns == found.answered_at_ns == 100_057  # 71 bytes of question at 10 Gbit/s, and one delivery
    assert found.raw is not None
    assert dns.message.from_wire(found.raw).to_wire() == found.raw
    asked = dns.message.from_wire(found.query)
    assert (asked.id, asked.edns, asked.payload) == (int.from_bytes(found.raw[:2], "big"), 0, 1232)


def test_each_question_has_an_id_of_its_own_that_a_second_run_repeats(lab: Lab) -> None:
    ids = [lab.dig("web-1", name).query[:2] for name in ("a", "a", "b")]
    again = [two_vpc_lab().dig("web-1", "a").query[:2] for _ in range(2)]
    assert len(set(ids)) == 3 and set(again) == {ids[0]}


def test_edns_classes_types_and_servers_may_be_chosen(lab: Lab) -> None:
    assert read_message(lab.dig("web-1", "www.shop.local", edns_bytes=None).raw or b"").edns is None
    assert lab.dig("web-1", "version.bind", "TXT", rclass="CH").rcode == "REFUSED"
    assert lab.dig("web-1", "www.shop.local", "type28").rcode == "NOERROR"
    assert lab.dig("web-1", "www.shop.local", server="10.1.0.2").rcode == "REFUSED"


@pytest.mark.parametrize(
    ("server", "failure"),
    [
        ("db-1", "timed out"),  # has port 53 open, and nothing behind it
        ("web-2", "connection refused"),
        ("192.168.0.99", "host unreachable"),
        ("10.9.9.9", "network unreachable"),
    ],
)
def test_who_does_not_answer_is_asked_again(lab: Lab, server: str, failure: str) -> None:
    found = lab.dig("web-1", "www.shop.local", server=server, tries=2, timeout_s=2)
    assert (found.raw, found.rcode, found.rtt_ns, found.answers) == (None, None, None, ())
    assert found.failures == (failure, failure)
    waited = lab.now_ns >= 2 * NS_PER_S
    assert waited == (failure == "timed out")


def test_an_answer_that_comes_too_late_is_none() -> None:
    lab = two_vpc_lab(latency_ms=600)
    assert lab.dig("web-1", "x", server="10.1.0.2", tries=1, timeout_s=1).failures == ("timed out",)
    assert lab.dig("web-1", "x", server="10.1.0.2", tries=1, timeout_s=2).rcode == "REFUSED"


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"tries": 101}, {"timeout_s": 0}, {"timeout_s": -1}])
def test_arguments_out_of_range_are_refused(lab: Lab, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="dig: "):
        lab.dig("web-1", "a", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "..", "a..b", ".a", "x" * 64, "a." * 127 + "bb", "\ud800.x"])
def test_no_domain_names(name: str) -> None:
    with pytest.raises(InvalidError, match=r"is no domain name, expected like db\.data\.local"):
        labels_of(name)


def test_domain_names() -> None:
    assert labels_of(".") == ()
    assert labels_of("a.B.") == (b"a", b"B")
    assert labels_of("köln.de") == (b"xn--kln-sna", b"de")
    assert len(labels_of("a." * 127)) == 127


@pytest.mark.parametrize(
    ("text", "number"), [("a", 1), ("PTR", 12), ("TYPE65535", 65_535), ("TYPE65536", None), ("TYPE", None), ("x", None)]
)
def test_types(text: str, number: int | None) -> None:
    assert type_number(text) == number


def test_wrong_types_and_classes_are_refused() -> None:
    with pytest.raises(UsageError, match='no record type "B"'):
        write_query("a", "B", at_ns=0)
    with pytest.raises(UsageError, match='no class "XX"'):
        write_query("a", "A", "XX", at_ns=0)


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 11, b"\0\0\x80\0\0\1" + b"\0" * 6 + b"\xc0\xff", b"\0\0\0\0\xff\xff" + b"\xff" * 99]
)
def test_bytes_that_are_no_message(raw: bytes) -> None:
    with pytest.raises(InvalidError, match="not a DNS message"):
        read_message(raw)


# ------------------------------------------------------------------------------------- names


def test_ping_and_traceroute_take_names_that_the_senders_resolver_knows(lab: Lab) -> None:
    lab.apply(SetDnsSync("shop-data", True), account="acme")
    ping = lab.ping("web-1", "db.data.local")
    assert (ping.dst_addr, ping.received) == (parse_addr(DB_1), 1)
    assert lab.traceroute("desk-1", "db-1.data.internal.").reached


def test_resolving_really_asks(lab: Lab) -> None:
    before = lab.totals().injected
    assert lab.resolve("web-1", "www.shop.local") == parse_addr(WEB_1)
    assert lab.totals().injected == before + 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("db.data.local", "the resolver 192.168.0.2 says NXDOMAIN"),
        ("shop.local", "the resolver 192.168.0.2 says that it has no address"),
    ],
)
def test_a_name_that_does_not_resolve_says_what_the_resolver_said(lab: Lab, name: str, says: str) -> None:
    with pytest.raises(NotFoundError, match=says):
        lab.ping("web-1", name)


@pytest.mark.parametrize("name", ["db-9", "10.1.0.256", "a b.c", "shop/x.y", "x..y", ""])
def test_what_can_be_no_dns_name_is_not_asked_for(lab: Lab, name: str) -> None:
    with pytest.raises((NotFoundError, InvalidError)):
        lab.resolve("web-1", name)
    assert lab.totals().injected == 0


def test_an_instances_name_wins_over_a_record(lab: Lab) -> None:
    lab.apply(CreateDnsRecord("shop", "db-1", "192.168.0.99"))
    assert lab.resolve("web-1", "db-1") == parse_addr(DB_1)

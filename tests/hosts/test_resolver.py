"""What a resolver answers about its own VPC, as dnspython reads it."""

from __future__ import annotations

from typing import Any

import dns.message
import dns.name
import dns.opcode
import pytest

from netsim.controlplane.edit import (
    CreateDnsRecord,
    CreateInstance,
    DeleteDnsRecord,
    DeleteInstance,
    UpdateInstance,
    UpdateVpc,
)
from tests.hosts.dns_client import ADDR_OF, DB_1, WEB_1, Client, flags, query, rcode, read, values

# ------------------------------------------------------------------------------------- own names


@pytest.mark.parametrize("name", ["www.shop.local", "web-1.shop.internal", "web-1", "WWW.Shop.LOCAL", "WEB-1"])
def test_a_vpc_resolves_its_records_and_its_instances(client: Client, name: str) -> None:
    answer = client.ask("shop", query(name))
    assert (rcode(answer), values(answer, "A")) == ("NOERROR", [WEB_1])
    assert flags(answer) == {"QR", "AA", "RD", "RA"}
    assert [rrset.ttl for rrset in answer.answer] == [60]
    assert not answer.authority


def test_the_question_comes_back_letter_for_letter(client: Client) -> None:
    asked = query("wWw.sHoP.LoCaL")
    raw = client.raw("shop", asked.to_wire())
    assert raw is not None and asked.to_wire()[12:] == raw[12 : len(asked.to_wire())]
    assert str(read(raw, asked).answer[0].name) == "wWw.sHoP.LoCaL."


@pytest.mark.parametrize("vpc", ["shop", "stage", "data"])
def test_without_sync_nobody_resolves_the_others_names(client: Client, vpc: str) -> None:
    own = {"shop": "www.shop.local", "stage": "test.stage.local", "data": "db.data.local"}
    assert {name: client.a(vpc, name) for name in own.values()} == {
        name: [ADDR_OF[vpc]] if of == vpc else "NXDOMAIN" for of, name in own.items()
    }


def test_what_does_not_exist_says_so_with_an_soa(client: Client) -> None:
    answer = client.ask("shop", query("nowhere.shop.local"))
    assert (rcode(answer), answer.answer) == ("NXDOMAIN", [])
    (soa,) = answer.authority
    assert (str(soa.name), soa.ttl, soa[0].minimum) == (".", 60, 60)
    assert flags(answer) == {"QR", "AA", "RD", "RA"}


@pytest.mark.parametrize("rtype", ["AAAA", "MX", "TXT", "SOA", "PTR", "CNAME", "TYPE65280"])
def test_a_name_without_a_record_of_that_type_says_so_with_an_soa(client: Client, rtype: str) -> None:
    answer = client.ask("shop", query("www.shop.local", rtype))
    assert (rcode(answer), answer.answer, len(answer.authority)) == ("NOERROR", [], 1)


@pytest.mark.parametrize(
    "name", ["local", "shop.local", "internal", "shop.internal", "in-addr.arpa", "168.192.in-addr.arpa", "."]
)
def test_a_name_that_others_end_with_exists(client: Client, name: str) -> None:
    """RFC 8020: nothing below a name that doesn't exist, so such a name does."""
    answer = client.ask("shop", query(name))
    assert (rcode(answer), answer.answer, len(answer.authority)) == ("NOERROR", [], 1)


@pytest.mark.parametrize(
    "name", ["ww.shop.local", "www.shop.local.x", "w.web-1", "hop.local", "db-1", "1.192.in-addr.arpa"]
)
def test_a_name_near_one_that_exists_does_not(client: Client, name: str) -> None:
    assert client.a("shop", name) == "NXDOMAIN"


def test_labels_that_hold_dots_or_any_bytes_are_other_names(client: Client) -> None:
    for labels in ([b"www.shop", b"local", b""], [b"www", b"shop", b"loc\xe4l", b""], [b"\0", b""]):
        assert client.ask("shop", query(dns.name.Name(labels))).rcode() == 3


def test_a_record_takes_the_place_of_an_instance_name(client: Client) -> None:
    client.inventory.apply(
        CreateDnsRecord("shop", "web-1.shop.internal", "192.168.0.77"), CreateDnsRecord("shop", "web-1", "192.168.0.78")
    )
    assert client.a("shop", "web-1.shop.internal") == ["192.168.0.77"]
    assert client.a("shop", "web-1") == ["192.168.0.78"]


def test_instances_whose_names_differ_in_case_only_share_one(client: Client) -> None:
    client.inventory.apply(CreateInstance("WEB-1", "shop/web", "192.168.0.11"))
    assert client.a("shop", "web-1.shop.internal") == [WEB_1, "192.168.0.11"]


def test_an_instance_whose_name_is_no_host_name_has_none(client: Client) -> None:
    client.inventory.apply(CreateInstance("my server", "shop/web", "192.168.0.11"))
    assert client.a("shop", "my\\032server.shop.internal") == "NXDOMAIN"
    assert rcode(client.ask("shop", query("11.0.168.192.in-addr.arpa", "PTR"))) == "NXDOMAIN"


def test_names_follow_every_edit(client: Client) -> None:
    apply = client.inventory.apply
    assert client.a("shop", "new.shop.local") == "NXDOMAIN"
    apply(CreateDnsRecord("shop", "new.shop.local", "192.168.0.33"))
    assert client.a("shop", "new.shop.local") == ["192.168.0.33"]
    apply(UpdateInstance("web-1", name="web-9"), UpdateVpc("shop", name="store"))
    assert client.a("store", "web-9.store.internal", asker=WEB_1) == [WEB_1]
    assert client.a("store", "web-1.shop.internal", asker=WEB_1) == "NXDOMAIN"
    apply(UpdateInstance("web-9", name="web-1"), UpdateVpc("store", name="shop"))
    apply(DeleteDnsRecord("shop", "new.shop.local"), DeleteInstance("web-1"))
    assert client.a("shop", "new.shop.local") == client.a("shop", "web-1.shop.internal") == "NXDOMAIN"
    assert client.a("shop", "www.shop.local") == [WEB_1]  # a record outlives the instance


# --------------------------------------------------------------------------------- the other way


def test_an_address_leads_back_to_its_instance(client: Client) -> None:
    answer = client.ask("shop", query("10.0.168.192.IN-ADDR.arpa", "PTR"))
    assert (rcode(answer), values(answer, "PTR")) == ("NOERROR", ["web-1.shop.internal."])


def test_an_address_without_an_instance_leads_to_its_records(client: Client) -> None:
    apply = client.inventory.apply
    apply(*(CreateDnsRecord("shop", name, "192.168.0.99") for name in ("a.shop.local", "b.shop.local")))
    answer = client.ask("shop", query("99.0.168.192.in-addr.arpa", "PTR"))
    assert values(answer, "PTR") == ["a.shop.local.", "b.shop.local."]
    assert values(client.ask("shop", query("99.0.168.192.in-addr.arpa", "ANY")), "PTR") == [
        "a.shop.local.",
        "b.shop.local.",
    ]
    assert rcode(client.ask("shop", query("98.0.168.192.in-addr.arpa", "PTR"))) == "NXDOMAIN"


# --------------------------------------------------------------------------- what is not answered so


def test_each_refusal_has_its_code(client: Client) -> None:
    def ends(name: str, rtype: str, **options: Any) -> str:
        return rcode(client.ask("shop", query(name, rtype, **options)))

    assert ends("shop.local", "AXFR") == ends("shop.local", "IXFR") == "REFUSED"
    assert ends("version.bind", "TXT", rdclass="CH") == ends("www.shop.local", "A", rdclass="NONE") == "REFUSED"
    assert ends("www.shop.local", "MAILB") == ends("www.shop.local", "MAILA") == "NOTIMP"
    assert ends("www.shop.local", "OPT") == "FORMERR"
    assert ends("www.shop.local", "A", rdclass="ANY") == ends("www.shop.local", "ANY") == "NOERROR"


def test_the_root_has_the_soa(client: Client) -> None:
    answer = client.ask("shop", query(".", "SOA"))
    assert (rcode(answer), len(answer.answer), answer.authority) == ("NOERROR", 1, [])
    assert answer.answer[0][0].serial == client.inventory.version


def test_other_opcodes_get_a_header_and_no_more(client: Client) -> None:
    asked = dns.message.Message(id=5)
    asked.set_opcode(dns.opcode.NOTIFY)
    answer = client.raw("shop", asked.to_wire() + b"anything")
    assert answer is not None and len(answer) == 12
    read_back = dns.message.from_wire(answer)
    assert (read_back.id, read_back.opcode(), rcode(read_back)) == (5, dns.opcode.NOTIFY, "NOTIMP")


def test_a_malformed_query_gets_a_header_and_no_more(client: Client) -> None:
    answer = client.raw("shop", query("a.b", ident=77).to_wire()[:-1])
    assert answer is not None and len(answer) == 12
    assert (dns.message.from_wire(answer).id, rcode(dns.message.from_wire(answer))) == (77, "FORMERR")


def test_no_answer_is_answered(client: Client) -> None:
    asked = query("www.shop.local")
    answer = client.raw("shop", asked.to_wire())
    assert answer is not None and client.raw("shop", answer) is None
    assert client.raw("shop", b"short") is None


@pytest.mark.parametrize("asker", [DB_1, "192.167.255.255", "8.8.8.8"])
def test_a_resolver_refuses_whoever_is_not_of_its_vpc(client: Client, asker: str) -> None:
    answer = client.ask("shop", query("www.shop.local"), asker=asker)
    assert (rcode(answer), answer.answer, answer.authority) == ("REFUSED", [], [])
    assert flags(answer) == {"QR", "RD", "RA"}


# ------------------------------------------------------------------------------------------- sizes


def many(client: Client, n: int) -> str:
    client.inventory.apply(
        *(CreateDnsRecord("shop", f"name-{k}.zone-{k}.shop.local", "192.168.0.99") for k in range(n))
    )
    return "99.0.168.192.in-addr.arpa"


def test_what_does_not_fit_512_bytes_is_truncated(client: Client) -> None:
    asked = query(many(client, 30), "PTR")
    raw = client.raw("shop", asked.to_wire())
    assert raw is not None and len(raw) <= 512
    answer = read(raw, asked)
    assert flags(answer) == {"QR", "AA", "TC", "RD", "RA"}
    assert (rcode(answer), answer.answer) == ("NOERROR", [])


def test_edns_makes_room_up_to_what_both_sides_take(client: Client) -> None:
    name = many(client, 30)
    whole = client.ask("shop", query(name, "PTR", use_edns=0, payload=1232))
    assert len(values(whole, "PTR")) == 30 and "TC" not in flags(whole)
    assert (whole.edns, whole.payload, whole.options) == (0, 1232, ())
    assert "TC" in flags(client.ask("shop", query(name, "PTR", use_edns=0, payload=600)))
    assert "TC" in flags(client.ask("shop", query(name, "PTR", use_edns=0, payload=100)))  # less than 512 means 512
    client.inventory.apply(*(CreateDnsRecord("shop", f"more-{k}.local", "192.168.0.99") for k in range(60)))
    assert "TC" in flags(client.ask("shop", query(name, "PTR", use_edns=0, payload=65_535)))


def test_over_tcp_there_is_room_for_all(client: Client) -> None:
    """Also beyond 16 KiB, where no compression pointer reaches."""
    name = many(client, 1_000)
    client.inventory.apply(*(CreateDnsRecord("shop", f"n{k}.late.zone", "192.168.0.99") for k in range(9)))
    answer = client.ask("shop", query(name, "PTR"), max_bytes=65_535)
    assert values(answer, "PTR")[:9] == [f"n{k}.late.zone." for k in range(9)]
    assert len(values(answer, "PTR")) == 1_009 and "TC" not in flags(answer)
    assert "TC" in flags(client.ask("shop", query(many_more(client), "PTR"), max_bytes=65_535))


def many_more(client: Client) -> str:
    client.inventory.apply(
        *(CreateDnsRecord("shop", f"host-{k}.of-zone-{k}.shop.local", "192.168.0.99") for k in range(1_500))
    )
    return "99.0.168.192.in-addr.arpa"


def test_edns_comes_back_only_to_who_sent_it(client: Client) -> None:
    plain = client.ask("shop", query("www.shop.local"))
    asked = query("www.shop.local", use_edns=0, want_dnssec=True)
    assert plain.edns == -1
    answer = client.ask("shop", asked)
    assert (answer.edns, answer.ednsflags, values(answer, "A")) == (0, 0x8000, [WEB_1])
    refused = client.ask("shop", asked, asker=DB_1)
    assert (rcode(refused), refused.edns) == ("REFUSED", 0)


def test_a_later_edns_is_told_which_one_is_known(client: Client) -> None:
    answer = client.ask("shop", query("www.shop.local", use_edns=1))
    assert (rcode(answer), answer.edns, answer.answer) == ("BADVERS", 0, [])

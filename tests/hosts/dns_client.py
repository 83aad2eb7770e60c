"""An independent DNS client: queries and answers by dnspython, which shares no code with the resolver's library."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from netsim.controlplane.inventory import Inventory
from netsim.hosts.resolver import Resolver
from netsim.prefix import parse_addr


def query(name: str | dns.name.Name, rtype: str = "A", *, ident: int = 0x1234, **options: Any) -> dns.message.Message:
    """A query with recursion desired, without EDNS unless asked for."""
    text = dns.name.from_text(name) if isinstance(name, str) else name
    made = dns.message.make_query(text, rtype, **options)
    made.id = ident
    return made


def read(raw: bytes, asked: dns.message.Message) -> dns.message.Message:
    """The answer, checked to be one to what was asked; nothing may follow its last record."""
    answer = dns.message.from_wire(raw, ignore_trailing=False)
    assert asked.is_response(answer)
    return answer


def rcode(answer: dns.message.Message) -> str:
    return dns.rcode.to_text(answer.rcode())


def flags(answer: dns.message.Message) -> set[str]:
    return set(dns.flags.to_text(answer.flags).split())


def values(answer: dns.message.Message, rtype: str) -> list[str]:
    """The data of the records of this type in the answer section, sorted."""
    wanted = dns.rdatatype.from_text(rtype)
    return sorted(data.to_text() for rrset in answer.answer if rrset.rdtype == wanted for data in rrset)


WEB_1, TEST_1, DB_1 = "192.168.0.10", "172.16.0.10", "10.1.0.20"
ADDR_OF = {"shop": WEB_1, "stage": TEST_1, "data": DB_1}


class Client:
    """Asks the resolver of a VPC, as an instance of it unless told otherwise."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.resolver = Resolver(inventory)

    def raw(self, vpc: str, message: bytes, *, asker: str | None = None, max_bytes: int | None = None) -> bytes | None:
        vpc_id = self.inventory.vpc(vpc).id
        return self.resolver.reply(vpc_id, parse_addr(asker or ADDR_OF[vpc]), message, max_bytes)

    def ask(self, vpc: str, asked: dns.message.Message, **options: Any) -> dns.message.Message:
        raw = self.raw(vpc, asked.to_wire(), **options)
        assert raw is not None
        return read(raw, asked)

    def a(self, vpc: str, name: str, **options: Any) -> list[str] | str:
        """The addresses, or how it ended if there are none."""
        answer = self.ask(vpc, query(name), **options)
        return values(answer, "A") or rcode(answer)

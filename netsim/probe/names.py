"""What names mean: instances, addresses, and names that a resolver is asked for. A `Lab` inherits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.controlplane.dns_record import is_host_name
from netsim.controlplane.instance import Instance
from netsim.emulator import Emulator
from netsim.errors import InvalidError, NotFoundError
from netsim.prefix import format_addr, looks_like_addr, parse_addr
from netsim.units import s_to_ns

if TYPE_CHECKING:
    from netsim.probe.lookup import DigResult


class Names(Emulator):
    """An emulator whose instances are called by name."""

    def instance(self, ref: str) -> Instance:
        """The instance of this name or id.

        Raises:
            NotFoundError: there is none; the message suggests the nearest.
        """
        return self.inventory.instance(ref)

    def addr(self, ref: str) -> int:
        """The address of an instance, or the address itself.

        Raises:
            NotFoundError: neither.
            InvalidError: it was meant to be an address, and is none.
        """
        try:
            return parse_addr(ref)
        except InvalidError as no_addr:
            try:
                return self.instance(ref).addr
            except NotFoundError:
                if looks_like_addr(ref):
                    raise no_addr from None
                raise

    def resolve(self, src: str, name: str) -> int:
        """The address a name means to the instance `src`: an address, an instance, else a DNS name.

        A DNS name has a dot, and no number at its end; for it, `src` really asks its resolver, and time passes.

        Raises:
            NotFoundError: none of these.
        """
        try:
            return self.addr(name)
        except NotFoundError as unknown:
            if not _is_dns_name(name.removesuffix(".").lower()):
                raise
            found = self.dig(src, name)
            if found.addrs:
                return found.addrs[0]
            says = found.rcode if found.rcode != "NOERROR" else "that it has no address"
            resolver = f"the resolver {format_addr(found.server_addr)}"
            told = f"{resolver} does not answer" if says is None else f"{resolver} says {says}"
            raise NotFoundError(f"{unknown}; {told}") from None

    def dig(
        self,
        src: str,
        name: str,
        rtype: str = "A",
        *,
        server: str | None = None,
        rclass: str = "IN",
        edns_bytes: int | None = 1232,
        is_tcp: bool = False,
        may_retry_in_tcp: bool = True,
        timeout_s: float = 5.0,
        tries: int = 3,
    ) -> DigResult:
        """Ask a resolver, by default that of the subnet of `src`, for the records of a name."""
        from netsim.probe.lookup import dig

        return dig(
            self,
            self.instance(src).id,
            name,
            rtype,
            rclass=rclass,
            server_addr=None if server is None else self.addr(server),
            edns_bytes=edns_bytes,
            is_tcp=is_tcp,
            may_retry_in_tcp=may_retry_in_tcp,
            timeout_ns=s_to_ns(timeout_s),
            tries=tries,
        )


def _is_dns_name(name: str) -> bool:
    """Whether a resolver is worth asking: 10.1.0.256 is a slip, and `db` an instance that isn't there."""
    _, dot, last = name.rpartition(".")
    return bool(dot) and not last.isdigit() and is_host_name(name)

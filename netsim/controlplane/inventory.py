"""The inventory: all tenants' resources, and the one way to change them.

`apply` takes edits and commits all of them or none. A refused apply leaves no trace: not in the
resources, not in the quotas, not in the ids to come, not in the versions. Reading is `View`'s; the
inventory itself is the operator's view.

Time comes from a clock that is a value. Whatever it has made due (a request nobody answered for seven
days, a prepaid period that is over) happens before the edits of an apply, as of its own deadline, and
`tick` does that alone. Such a change is a commit of its own; a refused apply does not take it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import takewhile
from typing import Any, TypeVar, overload

from netsim.clock import FILE_RUN_START_NS, Clock, VirtualClock
from netsim.collector import paused_collector
from netsim.controlplane import edit as edits_of
from netsim.controlplane.edit import Edit
from netsim.controlplane.event import Event
from netsim.controlplane.limits import make_limits
from netsim.controlplane.operations import account, dns, instance, peer_conn, peer_request, route, subnet, vpc
from netsim.controlplane.peer_conn import PeerConn
from netsim.controlplane.tables import Tables
from netsim.controlplane.values import quote, suggest
from netsim.controlplane.view import View
from netsim.errors import NotFoundError, RefusedError, UsageError

R = TypeVar("R")

_MANY_EDITS = 1_000

OPERATIONS: dict[type[Edit[Any]], Callable[[Tables, View, Any], Any]] = {
    edits_of.CreateAccount: account.create_account,
    edits_of.CreateVpc: vpc.create_vpc,
    edits_of.UpdateVpc: vpc.update_vpc,
    edits_of.SetRelay: vpc.set_relay,
    edits_of.DeleteVpc: vpc.delete_vpc,
    edits_of.CreateSubnet: subnet.create_subnet,
    edits_of.UpdateSubnet: subnet.update_subnet,
    edits_of.DeleteSubnet: subnet.delete_subnet,
    edits_of.CreateInstance: instance.create_instance,
    edits_of.UpdateInstance: instance.update_instance,
    edits_of.DeleteInstance: instance.delete_instance,
    edits_of.CreateRoute: route.create_route,
    edits_of.UpdateRoute: route.update_route,
    edits_of.DeleteRoute: route.delete_route,
    edits_of.CreatePeerConn: peer_request.create_peer_conn,
    edits_of.AcceptPeerConn: peer_conn.accept_peer_conn,
    edits_of.RejectPeerConn: peer_conn.reject_peer_conn,
    edits_of.DeletePeerConn: peer_conn.delete_peer_conn,
    edits_of.RefundPeerConn: peer_conn.refund_peer_conn,
    edits_of.ResizePeerConn: peer_conn.resize_peer_conn,
    edits_of.RenewPeerConn: peer_conn.renew_peer_conn,
    edits_of.UpdatePeerConn: peer_conn.update_peer_conn,
    edits_of.SetDnsSync: peer_conn.set_dns_sync,
    edits_of.SetDeleteProtect: peer_conn.set_delete_protect,
    edits_of.CreateDnsRecord: dns.create_dns_record,
    edits_of.DeleteDnsRecord: dns.delete_dns_record,
}
"""Which function does which edit."""


class Inventory(View):
    """All resources of a cloud; see the module.

    Args:
        profile: `product` or `research`.
        limits: single limits that replace the profile's; None as a value lifts one.
        clock: the control clock, ns since 1970 UTC; one that stands at 2026-01-01 if not given.
        seed: chooses the ids.
    """

    def __init__(
        self,
        profile: str = "product",
        limits: Mapping[str, int | None] | None = None,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.clock: Clock = VirtualClock(FILE_RUN_START_NS) if clock is None else clock
        super().__init__(Tables(make_limits(profile, limits), self.clock, seed))

    @property
    def version(self) -> int:
        """How many commits there were; the same version is the same state."""
        return self._tables.version

    def changed_at(self, kind: str) -> int:
        """The version at which `vpcs`, `instances` or `peer_conns` last gained, lost or replaced one."""
        return self._tables.changed_at[kind]

    def touched_since(self, version: int) -> list[str]:
        """VPCs whose `vpc_version` grew after `version`, newest last; at the cost of the answer.

        A VPC made or deleted since need not be there: `changed_at("vpcs")` tells of those.
        """
        touched_at = self._tables.touched_at
        newest_first = takewhile(lambda vpc_id: touched_at[vpc_id] > version, reversed(touched_at))
        return list(newest_first)[::-1]

    def events_since(self, n: int) -> list[Event]:
        """What happened to connections, but for the first `n` events."""
        return self._tables.events[n:]

    @property
    def next_deadline_ns(self) -> int | None:
        """A time before which `tick` has nothing to do, None if it never will; control clock, ns."""
        return self._tables.next_deadline_ns

    def visible_to(self, account: str | None) -> View:
        """What an account sees; None is the operator.

        Raises:
            NotFoundError: no such account.
        """
        if account is not None and account not in self._tables.accounts:
            hint = suggest(account, self._tables.accounts)
            raise NotFoundError(f"account {quote(account)}: not found{hint}", field="account")
        return View(self._tables, account)

    @overload
    def apply(self, edit: Edit[R], /, *, account: str | None = None) -> R: ...

    @overload
    def apply(self, *edits: Edit[Any], account: str | None = None) -> tuple[Any, ...]: ...

    def apply(self, *edits: Edit[Any], account: str | None = None) -> Any:
        """Do all the edits, in order, or none.

        A later edit may name what an earlier one made. Of one edit the result is what it made, changed or
        removed; of several, a tuple of these.

        Args:
            edits: what to do; without any nothing happens, and there is no commit.
            account: who asks; None is the operator, who may do everything.

        Raises:
            RefusedError: a rule says no; `edit_index` says to which of the edits.
        """
        self.tick()
        view: View = self if account is None else self.visible_to(account)
        if not edits:
            return ()
        with paused_collector() if len(edits) >= _MANY_EDITS else nullcontext():
            return self._apply(view, edits)

    def _apply(self, view: View, edits: tuple[Edit[Any], ...]) -> Any:
        tables = self._tables
        results = []
        tables.begin()
        try:
            for edit in edits:
                results.append(_operation(edit)(tables, view, edit))  # noqa: PERF401 - its length names a refused edit
        except BaseException as error:
            tables.rollback()
            if isinstance(error, RefusedError):
                error.edit_index = len(results)
            raise
        tables.commit()
        return results[0] if len(edits) == 1 else tuple(results)

    @contextmanager
    def attempted(self, *edits: Edit[Any], account: str | None = None) -> Iterator[tuple[Any, ...]]:
        """The edits made for as long as the `with` lasts, and what each results in; afterwards nothing happened.

        What may be asked meanwhile is what would be. Nobody may apply anything.

        Args:
            edits: in order.
            account: who asks; None is the operator.

        Raises:
            RefusedError: a rule says no; `edit_index` says to which of the edits.
        """
        self.tick()
        view: View = self if account is None else self.visible_to(account)
        tables = self._tables
        tables.begin()
        results = []
        try:
            for edit in edits:
                results.append(_operation(edit)(tables, view, edit))  # noqa: PERF401 - as in `_apply`
            yield tuple(results)
        except RefusedError as error:
            if len(results) < len(edits):
                error.edit_index = len(results)
            raise
        finally:
            tables.rollback()

    def tick(self) -> tuple[PeerConn, ...]:
        """Do what the clock has made due, in order of the deadlines; the connections changed.

        A connection that comes due twice is in the result twice. One commit, if anything was due.
        """
        tables = self._tables
        deadline_ns = tables.next_deadline_ns
        if deadline_ns is None or deadline_ns > tables.now_ns:
            return ()
        changed = []
        tables.begin()
        while (conn := tables.pop_due()) is not None:
            changed.append(peer_conn.meet_deadline(tables, conn))
        if changed:
            tables.commit()
        return tuple(changed)


def _operation(edit: Edit[Any]) -> Callable[[Tables, View, Any], Any]:
    operation = OPERATIONS.get(type(edit))
    if operation is None:
        raise UsageError(f"apply: {quote(edit)} is no edit, expected one of netsim.controlplane.edit")
    return operation

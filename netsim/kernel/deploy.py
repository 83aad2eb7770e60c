"""Building a plan, and taking it away: `deploy`, `destroy`, `cleanup`.

    lock - journal "building" - namespaces - sysctls - links - what is inside each - journal "complete"

A failure on the way takes back what was made. A kill -9 can't: then the journal says what `cleanup` (and the next
`deploy` of that name) has to remove. Input of `ip`, `tc` and `nft` lies complete in memory before they start, so that
one that outlives us does not go by half a line.

Speed: few processes. A namespace costs one `ip`, a router an `nft` and a `tc` on top; two at a time run. 50 VPCs with
200 instances: 2 to 4 s on two cores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from netsim.errors import CapabilityError, ConflictError
from netsim.kernel import batch, namespace
from netsim.kernel.journal import Deployed, Journal
from netsim.kernel.plan import Namespace, Plan
from netsim.kernel.settling import settle
from netsim.kernel.sysctls import MAY_BE_MISSING, Sysctl
from netsim.kernel.tools import Tools

Progress = Callable[[int, int], None]


def deploy(
    plan: Plan,
    file: str = "",
    *,
    journal: Journal | None = None,
    replaces: bool = False,
    progress: Progress | None = None,
) -> Deployed:
    """Build a plan. One that is there already is left as it is.

    Args:
        plan: what to build.
        file: the topology file's path, by which the deployment can be named later.
        journal: where it is written down.
        replaces: take away a different deployment of this name first.
        progress: called with (namespaces done, of how many).

    Raises:
        ConflictError: the name is taken by a different deployment, or a namespace of this name is not ours.
        CapabilityError: the machine can't; nothing is left.
    """
    journal = journal or Journal()
    with journal.locked() as lock:
        wanted = _described(plan, file)
        there = journal.get(plan.name)
        if there is not None:
            is_whole = there.phase == "complete" and all(map(namespace.exists, there.namespaces))
            if is_whole and there.digest == wanted.digest:
                return there
            if is_whole and not replaces:
                raise ConflictError(
                    f"deployment {plan.name}: there already, and different; netsim destroy {plan.name}, or --replace"
                )
            _take_away(there, journal)
        for name in wanted.namespaces:
            if namespace.exists(name):
                raise ConflictError(
                    f"namespace {name}: there already, and not of netsim's making (ip netns delete {name})"
                )
        journal.put(wanted)
        try:
            _build(plan, lock, progress)
            return journal.mark(wanted, "complete")
        except BaseException:
            _take_away(wanted, journal)
            raise


def destroy(name: str, *, journal: Journal | None = None) -> bool:
    """Take a deployment away, with the processes that run in it. Whether there was one."""
    journal = journal or Journal()
    with journal.locked():
        there = journal.get(name)
        if there is None:
            return False
        _take_away(there, journal)
        return True


def cleanup(*, journal: Journal | None = None) -> list[str]:
    """Take away what killed commands left; the names of the deployments. Complete ones stay."""
    journal = journal or Journal()
    cleaned = []
    with journal.locked():
        for name in journal.partials():
            journal.drop_partial(name)
        for there in journal.all():
            if there.phase != "complete":
                _take_away(there, journal)
                cleaned.append(there.name)
    return cleaned


def _described(plan: Plan, file: str) -> Deployed:
    nodes = {
        node.ref: {"namespace": node.namespace, "kind": node.kind, "vpc": node.vpc, "addr": node.addr}
        for node in plan.nodes
    }
    short: dict[str, list[str]] = {}
    for ref in nodes:
        if "/" in ref:
            short.setdefault(ref.partition("/")[2], []).append(ref)
    # A bare name is the instance's, also where a VPC has it too: its router goes by `vpc:NAME` then.
    routers = {f"vpc:{ref}": what for ref, what in nodes.items() if what["kind"] == "router"}
    nodes |= routers | {name: nodes[refs[0]] for name, refs in short.items() if len(refs) == 1}
    return Deployed(
        name=plan.name,
        phase="building",
        digest=hashlib.sha256(batch.script(plan).encode()).hexdigest(),
        file=str(Path(file).absolute()) if file else "",
        namespaces=tuple(space.name for space in plan.namespaces),
        nodes=nodes,
        hosts=plan.hosts,
        notes=plan.notes,
    )


def _take_away(there: Deployed, journal: Journal) -> None:
    there = journal.mark(there, "destroying")
    namespace.end_processes(there.namespaces)
    # Devices, addresses, routes, filters and caps live in the namespaces and go with them.
    for name in there.namespaces:
        namespace.remove(name)
    journal.drop(there.name)


# ------------------------------------------------------------------------------------- building


def _build(plan: Plan, lock: int, progress: Progress | None) -> None:
    with Tools(lock) as tools:
        _make(plan, tools, progress)


def _make(plan: Plan, tools: Tools, progress: Progress | None) -> None:
    tools.start("ip", ["-batch", "-"], batch.namespace_lines(plan))
    tools.finish()
    # Before there is a device: what a namespace has for all devices, each new one takes over.
    for space in plan.namespaces:
        with namespace.inside(space.name):
            write_sysctls(space.sysctls)
    tools.start("ip", ["-batch", "-"], batch.link_lines(plan))
    tools.finish()
    # Routers first: an interface whose other end is up already works from the moment it comes up itself.
    routers = [space for space in plan.namespaces if space.kind != "instance"]
    hosts = [space for space in plan.namespaces if space.kind == "instance"]
    for done, space in enumerate((*routers, *hosts)):
        if progress is not None:
            progress(done, len(plan.namespaces))
        if done == len(routers):
            tools.finish()
        _fill(space, tools)
    tools.finish()
    for space in routers:
        settle(space, tools)


def _fill(space: Namespace, tools: Tools) -> None:
    with namespace.inside(space.name):
        write_sysctls(space.device_sysctls)
        # The filter first, so that no packet passes without; it names devices that need not be there yet.
        if space.filters:
            tools.start("nft", ["-f", "-"], [space.filters])
        tools.start("ip", ["-batch", "-"], batch.ip_lines(space))
        if space.caps or space.delays:
            tools.start("tc", ["-batch", "-"], batch.tc_lines(space))


def write_sysctls(values: Iterable[Sysctl]) -> None:
    """Set them in the namespace this thread is in.

    Raises:
        CapabilityError: one can't be set.
    """
    for path, value in values:
        try:
            # Opened in the namespace, /proc/sys/net is the namespace's own.
            with open(f"/proc/sys/net/{path}", "w", encoding="ascii") as file:  # noqa: PTH123 - some 20,000 of them
                file.write(value)
        except OSError as error:
            if not (isinstance(error, FileNotFoundError) and path.startswith(MAY_BE_MISSING)):
                raise CapabilityError(f"sysctl net/{path}: can't be set: {error.strerror}") from None

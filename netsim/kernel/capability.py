"""What this machine can do, found out by doing it: each probe runs in a namespace without a name, gone with the probe.

`probe_all` is what `netsim doctor` prints; `require` is what `deploy` asks first.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netsim.errors import CapabilityError
from netsim.kernel import namespace

_PATIENCE_S = 20.0
_ANSI = re.compile(r"\x1b\[[0-9;]*m")

# A pair of interfaces whose first end is up, as the qdisc probes need it.
_PAIR = "ip link add v0 type veth peer name v1 && ip link set v0 up && "


@dataclass(frozen=True, slots=True)
class Need:
    """Something to try.

    Attributes:
        name: what it is.
        why: what it is for.
        script: shell commands that succeed where it is there.
        remedy: what to do where it is not.
        tool: the program it needs, "" for none beside the shell.
        is_required: whether `deploy` needs it.
        is_safe_without_root: it needs no namespace.
    """

    name: str
    why: str
    script: str
    remedy: str
    tool: str = ""
    is_required: bool = True
    needs_namespace: bool = True


@dataclass(frozen=True, slots=True)
class Capability:
    """What came of it: `detail` is a version, or the reason why not."""

    need: Need
    is_there: bool
    detail: str


_KERNEL = "needs a kernel with {}; try another machine or kernel"

TOOLS = (
    Need("ip", "namespaces, links, routes", "ip -V", "apt-get install iproute2", "ip", needs_namespace=False),
    Need("tc", "caps", "tc -V", "apt-get install iproute2", "tc", needs_namespace=False),
    Need("nft", "refusals, no transit", "nft -v", "apt-get install nftables", "nft", needs_namespace=False),
)
KERNEL = (
    Need(
        "namespaces",
        "instances and routers",
        # In a mount namespace of its own: the name this makes is never seen outside.
        "mount --make-rprivate / && mount -t tmpfs none /run && ip netns add probe && ip netns exec probe true",
        "run as root (sudo); in a container, with CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged)",
        "ip",
    ),
    Need("veth", "links", _PAIR + "true", _KERNEL.format("CONFIG_VETH"), "ip"),
    Need("bridge", "subnets", "ip link add s0 type bridge stp_state 0", _KERNEL.format("CONFIG_BRIDGE"), "ip"),
    Need(
        "policy routing",
        "source segments",
        "ip rule add from 10.0.0.0/24 lookup 1000",
        _KERNEL.format("CONFIG_IP_MULTIPLE_TABLES"),
        "ip",
    ),
    Need(
        "tbf",
        "caps",
        _PAIR + "tc qdisc add dev v0 root tbf rate 10mbit burst 12500b limit 65536b",
        _KERNEL.format("CONFIG_NET_SCH_TBF (Debian: in linux-image-amd64; cloud kernels may lack it)"),
        "tc",
    ),
    Need(
        "nft reject",
        "refusals",
        "printf '%s\\n' 'table ip probe {' ' chain no {' '  reject with icmp net-unreachable' ' }' ' chain in {' "
        "'  type filter hook prerouting priority raw; policy accept;' '  fib daddr oifname \"x\" goto no' ' }' '}' "
        "| nft -f -",
        _KERNEL.format("CONFIG_NFT_REJECT and CONFIG_NFT_FIB_IPV4, Linux 5.9 or later"),
        "nft",
    ),
    Need(
        "settings",
        "ICMP without limits",
        "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit && echo 1 > /proc/sys/net/ipv4/ip_forward",
        "/proc/sys is read-only here: in a container, start it privileged",
    ),
)
OPTIONAL = (
    Need(
        "netem",
        "propagation delay; without it, it is left out",
        _PAIR + "tc qdisc add dev v0 root netem delay 5ms",
        _KERNEL.format("CONFIG_NET_SCH_NETEM"),
        "tc",
        is_required=False,
    ),
    Need(
        "htb",
        "not used; tells what else the kernel could shape with",
        _PAIR + "tc qdisc add dev v0 root handle 1: htb",
        _KERNEL.format("CONFIG_NET_SCH_HTB"),
        "tc",
        is_required=False,
    ),
    *(
        Need(tool, why, f"{tool} {flag}", f"apt-get install {package}", tool, is_required=False, needs_namespace=False)
        for tool, why, flag, package in (
            ("ping", "netsim exec web-1 -- ping db-1", "-V", "iputils-ping"),
            ("traceroute", "netsim exec web-1 -- traceroute db-1", "--version", "traceroute"),
            ("iperf3", "throughput between instances", "-v", "iperf3"),
            ("tshark", "captures inside", "-v", "tshark"),
        )
    ),
)


def probe_all() -> list[Capability]:
    """All of it, tried one after the other; some 0.3 s."""
    return [probe(need) for need in (*TOOLS, *KERNEL, *OPTIONAL)]


def require() -> None:
    """Nothing, where all that `deploy` needs is there.

    Raises:
        CapabilityError: the first that is not, and what to do.
    """
    for need in (*TOOLS, *KERNEL):
        found = probe(need)
        if not found.is_there:
            raise CapabilityError(f"no {need.name} here ({found.detail}): {need.remedy}")


def has_netem() -> bool:
    """Whether the kernel can delay packets."""
    return probe(next(need for need in OPTIONAL if need.name == "netem")).is_there


def probe(need: Need) -> Capability:
    """Try it."""
    if need.tool and shutil.which(need.tool) is None:
        return Capability(need, False, f"no {need.tool} command")
    try:
        done = _run(["sh", "-c", need.script], _into_nowhere if need.needs_namespace else None)
    except OSError as error:
        return Capability(need, False, error.strerror or str(error))
    except subprocess.SubprocessError as error:
        # preexec_fn's own exceptions arrive as this one, without their text.
        is_late = isinstance(error, subprocess.TimeoutExpired)
        return Capability(need, False, f"no answer in {_PATIENCE_S:g} s" if is_late else _why_no_namespace())
    said = _ANSI.sub("", f"{done.stdout}\n{done.stderr}").strip().splitlines()
    line = " ".join((said[0] if said else "").split())
    if done.returncode:
        return Capability(need, False, line.removeprefix("Error: ").rstrip(".") or f"exit code {done.returncode}")
    return Capability(need, True, line if not need.needs_namespace else "")


def _into_nowhere() -> None:
    """In the child, before the shell: namespaces of its own, which go with it."""
    namespace.unshare(namespace.CLONE_NEWNET | namespace.CLONE_NEWNS)


def _why_no_namespace() -> str:
    return "not allowed: not root" if os.geteuid() else "not allowed: no CAP_SYS_ADMIN"


def _run(args: Sequence[str], before: Callable[[], None] | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own scripts; nothing runs beside this thread that could hold a lock
        args,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        preexec_fn=before,
        check=False,
    )

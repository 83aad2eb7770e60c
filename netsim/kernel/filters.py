"""The router's filter: what routes alone can't say, in nft.

    no transit      a packet from a peer connection towards another peer connection or a gateway
    refusals        3/0 and 3/1 where the routes lead to the devices `nonet` and `nohost`

The routes know the answer already; the filter asks them (`fib daddr`, by source too) before the kernel does, in
prerouting. Why there and so:

* The kernel's own `unreachable` answers at most 5 packets at once and one a second after that for each sender; its
  settings belong to the whole host. `reject` has no such limit.
* Linux checks TTL and MTU before its forward hook. Ours come after lookup and permission: TTL 1 towards no route
  is 3/0, and the error quotes the packet as it came.
* Blackholes stay the kernel's: silent, and nothing to look at.

Transits are counted in DSCP where a file limits them and relays are peered: marks don't cross namespaces, the field
does. It is zero on every packet an instance gets or sends there.
"""

from __future__ import annotations

from collections.abc import Sequence

NO_NET, NO_HOST = "nonet", "nohost"
"""The devices that stand for "no rule covers it" and "nobody has this address". No packet ever leaves by them."""

MAX_COUNT = 63
"""Of DSCP, 6 bits (RFC 2474 section 3). A TTL of 64 ends a packet before it has used more transits."""


def router_filters(outs: Sequence[str], *, may_transit: bool, limit: int | None, has_address: bool) -> str:
    """The filter of one router.

    Args:
        outs: the devices of its peer connections and gateways.
        may_transit: whether it is a relay, and the limit of transits not 0.
        limit: of transits, where they have to be counted; None where not.
        has_address: a router without subnets has none, and says nothing.
    """
    ways = "{ " + ", ".join(f'"{name}"' for name in outs) + " }"
    lines = ["table ip netsim {"]
    lines += _chain("no_route", ["reject with icmp net-unreachable"])
    lines += _chain("no_host", ["reject with icmp host-unreachable"])
    checks = [f'fib daddr oifname "{NO_NET}" goto no_route', f'fib daddr oifname "{NO_HOST}" goto no_host']
    if outs and not may_transit:
        checks.append(f'iifname "peer*" fib daddr oifname {ways} drop')
    elif outs and limit is not None:
        checks.append(f'iifname "peer*" ip dscp {limit}-{MAX_COUNT} fib daddr oifname {ways} drop')
    if limit is not None:
        checks.insert(0, 'iifname "sub*" ip dscp set 0')
    lines += _chain("arrive", ["type filter hook prerouting priority raw; policy accept;", *checks])
    if limit is not None:
        counts = ['oifname "sub*" ip dscp set 0 accept']
        if may_transit:
            counts += [f'iifname "peer*" ip dscp {k} ip dscp set {k + 1} accept' for k in range(limit)]
        lines += _chain("forward", ["type filter hook forward priority mangle; policy accept;", *counts])
    # What the router itself sends where no way leads is lost in silence.
    own = [f'oifname {{ "{NO_NET}", "{NO_HOST}" }} drop']
    if not has_address:
        own.append("drop")  # newer kernels would lend it 192.0.0.8 (RFC 7600 section 6)
    if limit is not None:
        own.append("ip dscp set 0")  # Linux marks its ICMP errors CS6
    lines += _chain("send", ["type filter hook output priority mangle; policy accept;", *own])
    return "\n".join([*lines, "}", ""])


def _chain(name: str, lines: Sequence[str]) -> list[str]:
    return [f"  chain {name} {{", *(f"    {line}" for line in lines), "  }"]

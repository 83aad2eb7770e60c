"""The kernel settings each namespace gets. A new namespace inherits some of the host's: all that matter are set."""

from __future__ import annotations

Sysctl = tuple[str, str]

MAY_BE_MISSING = ("bridge/", "ipv6/", "ipv4/icmp_ratemask")
"""Settings whose absence does no harm: without bridge filtering, IPv6 or rate masks there is nothing to turn off."""

_EVERYWHERE: tuple[Sysctl, ...] = (
    # No router discovery, no duplicate detection: nothing moves that the topology doesn't say.
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    # A return path over another interface is no spoofing: routes may differ by direction. The stronger of
    # `all` and the device's own counts, so both are needed.
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    # VPCs may overlap: a packet from over there may carry an address that is one's own here.
    ("ipv4/conf/all/accept_local", "1"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/log_martians", "0"),
    ("ipv4/conf/all/arp_ignore", "0"),
    ("ipv4/conf/all/arp_announce", "0"),
    ("ipv4/conf/all/arp_filter", "0"),
    ("ipv4/conf/all/proxy_arp", "0"),
    # Each dropped packet gets its error. NB: icmp_ratelimit=0 lifts the limit per destination only; the one for the
    # whole host (icmp_msgs_per_sec, 1,000/s, shared by all namespaces before Linux 6.12) still holds for the types
    # in icmp_ratemask, so no type is left in it. Measured: 5,000 of 5,000 `time exceeded` in 0.12 s.
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv4/icmp_ratemask", "0"),
    ("ipv4/icmp_echo_ignore_all", "0"),
    ("ipv4/icmp_errors_use_inbound_ifaddr", "0"),
    ("ipv4/ip_default_ttl", "64"),
)

# A frame that a bridge passes on within its subnet is no business of the router's filter.
_BRIDGE: tuple[Sysctl, ...] = tuple(
    (f"bridge/bridge-nf-call-{what}", "0") for what in ("iptables", "ip6tables", "arptables")
)

# ip_forward first: writing it sets the other values of `conf` back.
ROUTER: tuple[Sysctl, ...] = (("ipv4/ip_forward", "1"), *_EVERYWHERE, *_BRIDGE)
INSTANCE: tuple[Sysctl, ...] = (
    ("ipv4/ip_forward", "0"),
    *_EVERYWHERE,
    # The same whatever the host prefers: reno is the only one that every host lets a namespace choose, and what
    # emulated flows have. A program may ask for another (iperf3 -C cubic).
    ("ipv4/tcp_congestion_control", "reno"),
    # A connection starts without what earlier ones learned of the way: measurements repeat.
    ("ipv4/tcp_no_metrics_save", "1"),
)
WIRES: tuple[Sysctl, ...] = (("ipv4/ip_forward", "0"), *_EVERYWHERE, *_BRIDGE)

# Who asks for an address of its own subnet that nobody has is told after 0.3 s instead of 3 s.
QUICK_ARP: tuple[Sysctl, ...] = (("ipv4/neigh/eth0/retrans_time_ms", "100"),)

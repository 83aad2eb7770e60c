"""An instance: a machine with one address in one subnet."""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17}
"""IANA protocol numbers of what an instance can listen on."""

DEFAULT_NIC_MBPS = 10_000
MAX_NIC_MBPS = 400_000


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance. Its name is unique in its VPC, so `vpc/name` says which one is meant.

    `listen` holds (IP protocol number, port), ascending, none twice; a TCP port that sends back what it
    gets stands there under `fib.ECHO_PROTO`.
    """

    id: str
    name: str
    vpc_id: str
    subnet_id: str
    addr: int
    listen: tuple[tuple[int, int], ...]
    nic_mbps: int
    created_at_ns: int

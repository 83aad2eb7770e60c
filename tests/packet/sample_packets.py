"""Random IPv4 packets made by scapy, the other implementation our codec is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np


def random_scapy_packets(n: int, seed: int) -> Iterator[Any]:
    """n scapy packets: UDP, TCP, ICMP of several types, others; options, fragments, odd sizes."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.packet import Raw

    rng = np.random.Generator(np.random.PCG64(seed))

    def number(bits: int) -> int:
        return int(rng.integers(1 << bits))

    for _ in range(n):
        ip = IP(
            src=_addr(number(32)),
            dst=_addr(number(32)),
            ttl=number(8),
            tos=number(8),
            id=number(16),
            flags=("", "DF", "MF")[int(rng.integers(3))],
            frag=number(13) if number(3) == 0 else 0,
            options=_options(rng) if number(2) == 0 else [],
        )
        data = Raw(rng.bytes(int(rng.integers(1, 64)) if number(2) else int(rng.integers(1, 1200))))
        kind = int(rng.integers(8))
        if kind < 3:
            packet = ip / UDP(sport=number(16), dport=number(16)) / data
        elif kind < 5:
            packet = ip / TCP(
                sport=number(16), dport=number(16), seq=number(32), ack=number(32), flags=number(8), options=_tcp(rng)
            )
            packet = packet / data if number(1) else packet
        elif kind < 7:
            icmp_type = (0, 3, 8, 8, 11, 13)[int(rng.integers(6))]
            packet = ip / ICMP(type=icmp_type, code=number(2), id=number(16), seq=number(16)) / data
        else:
            packet = ip.__class__(bytes(ip)) / data  # whatever protocol 0 may be
            packet.proto = int(rng.choice([0, 2, 47, 50, 132]))
            packet.len = packet.chksum = None
        yield packet


def _addr(value: int) -> str:
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def _tcp(rng: np.random.Generator) -> list[tuple[str, Any]]:
    choices: list[list[tuple[str, Any]]] = [
        [],
        [("MSS", 1460)],
        [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)],
    ]
    return choices[int(rng.integers(3))]


def _options(rng: np.random.Generator) -> list[Any]:
    from scapy.layers.inet import (
        IPOption_EOL,
        IPOption_LSRR,
        IPOption_NOP,
        IPOption_Router_Alert,
        IPOption_RR,
        IPOption_Stream_Id,
    )

    makers = [
        IPOption_NOP,
        IPOption_Router_Alert,
        IPOption_Stream_Id,
        lambda: IPOption_RR(routers=["10.0.0.1", "10.0.0.2"]),
        lambda: IPOption_LSRR(routers=["192.0.2.1"]),
    ]
    # Each kind at most once: scapy warns of two source routes.
    options = [makers[i]() for i in rng.permutation(len(makers))[: int(rng.integers(1, 4))]]
    return [*options, IPOption_EOL()] if rng.integers(3) == 0 else options


@cache
def random_packets(n: int, seed: int) -> tuple[bytes, ...]:
    """The bytes of n such packets; the same few thousand serve several tests."""
    return tuple(bytes(packet) for packet in random_scapy_packets(n, seed))


def mutated(packets: tuple[bytes, ...], n: int, seed: int) -> Iterator[bytes]:
    """n damaged packets: bits flipped, header bytes replaced, cut, extended; half of them with
    their checksum made right again, so that the damage gets past it.
    """
    from netsim.packet.checksum import checksum

    rng = np.random.Generator(np.random.PCG64(seed))
    kinds, places, values = rng.integers(4, size=n), rng.integers(1 << 30, size=n), rng.integers(256, size=n)
    repaired = rng.integers(2, size=n)
    for i in range(n):
        packet = bytearray(packets[i % len(packets)])
        place, value = int(places[i]), int(values[i])
        if kinds[i] == 0:
            packet[place % len(packet)] ^= 1 << value % 8
        elif kinds[i] == 1:
            packet[place % min(len(packet), 44)] = value
        elif kinds[i] == 2:
            del packet[place % (len(packet) + 1) :]
        else:
            packet[place % 4] = value
            packet += bytes(value)
        header_bytes = (packet[0] & 15) * 4 if packet else 0
        if repaired[i] and len(packet) >= header_bytes >= 20:
            packet[10:12] = b"\0\0"
            packet[10:12] = checksum(bytes(packet[:header_bytes])).to_bytes(2, "big")
        yield bytes(packet)

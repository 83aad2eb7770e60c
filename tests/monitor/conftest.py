"""A tiny world to monitor: counters that grow when told, and the connections over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsim.monitor.connection import LINK_FIELDS, MonitoredConnection, SideInfo
from netsim.monitor.monitor import Monitor


class World:
    """Counters of `n` links, to be written by a test."""

    def __init__(self, n: int) -> None:
        self.counters = {field: np.zeros(n, np.int64) for field in LINK_FIELDS}

    def send(self, link: int, n_bytes: int = 1000, packets: int = 1, dropped: int = 0, arrive: bool = True) -> None:
        """Let packets leave on a link (and arrive), and drop some."""
        self.counters["egress_bytes"][link] += n_bytes
        self.counters["egress_packets"][link] += packets
        self.counters["dropped_bytes"][link] += dropped * 1000
        self.counters["dropped_packets"][link] += dropped
        if arrive:
            self.counters["ingress_bytes"][link] += n_bytes
            self.counters["ingress_packets"][link] += packets

    def grow(self, n: int) -> None:
        """Let there be `n` more links."""
        self.counters = {f: np.concatenate((c, np.zeros(n, np.int64))) for f, c in self.counters.items()}


def connection(number: int = 0, **changes: Any) -> MonitoredConnection:
    """Connection `number` on links 2n and 2n + 1, capped at 100 Mbit/s."""
    given: dict[str, Any] = {
        "id": f"peerconn-{number:012d}",
        "name": f"c{number}",
        "local_link": 2 * number,
        "peer_link": 2 * number + 1,
        "cap_bps": 100_000_000,
        "local": SideInfo("shop", "int-1"),
        "peer": SideInfo("data", "int-2"),
    }
    return MonitoredConnection(**{**given, **changes})


@pytest.fixture
def make_connection() -> Any:
    """`connection`, for test modules."""
    return connection


@pytest.fixture
def make_world() -> Any:
    """`World`, for test modules."""
    return World


@pytest.fixture
def world() -> World:
    """Two links: one connection."""
    return World(2)


@pytest.fixture
def monitor(world: World) -> Monitor:
    """A monitor with a base period of 1 s that knows c0."""
    made = Monitor(1_000_000_000)
    made.describe(0, [connection()], world.counters)
    return made

"""Random networks in which between a third and two thirds of the pairs reach each other.

Made as those of `netsim crosscheck --random`, but smaller, fuller, and with one MTU.
"""

from __future__ import annotations

from netsim.controlplane.peer_conn import DEFAULT_MTU_BYTES
from netsim.kernel.random_topology import RandomTopology


class RandomNetwork(RandomTopology):
    """An inventory made from a seed."""

    bandwidth_mbps = 100

    def n_vpcs(self) -> int:
        return 3 + self._number(4)

    def n_instances(self, subnet: int) -> int:
        del subnet
        return 1 + self._number(2)

    def mtu_bytes(self) -> int:
        return DEFAULT_MTU_BYTES

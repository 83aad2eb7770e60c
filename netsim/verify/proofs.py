"""Proofs: the questions one may ask of whatever has a network, as methods. A `Lab` inherits them.

Nothing is sent. Each question is about the network as it is at that moment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.verify.diff import Diff
    from netsim.verify.finding import Finding
    from netsim.verify.network import Network
    from netsim.verify.pairs import PairTable
    from netsim.verify.reach import Port, Reach


class Proofs(ABC):
    """Something with a network."""

    @abstractmethod
    def network(self) -> Network:
        """What proofs are about; after an edit, another one."""

    def reach(self, src: str, dst: str, port: Port | None = None) -> Reach:
        """Whether `dst` (an instance, subnet, VPC or address) is reachable from `src` and back.

        `fixes` say what to change if not. Subnets and VPCs stand for their instances; of several pairs the
        answer is the first that is not reachable, if there is one.
        """
        answers = self.reach_all(src, dst, port)
        return next((answer for answer in answers if not answer.is_reachable), answers[0])

    def reach_all(self, src: str, dst: str, port: Port | None = None) -> list[Reach]:
        """The answers for every instance that `src` means to every one that `dst` means."""
        from netsim.verify.reach import reach_all

        return reach_all(self.network(), src, dst, port)

    def pairs(self) -> PairTable:
        """Verdict and reason of every ordered pair of instances."""
        from netsim.verify.pairs import all_pairs

        return all_pairs(self.network())

    def lint(self) -> list[Finding]:
        """What is wrong, useless or surprising, worst first."""
        from netsim.verify.findings import findings

        return findings(self.network())

    def diff(self, other: Proofs) -> Diff:
        """What is different in `other`, for all packets."""
        from netsim.verify.diff import diff

        return diff(self.network(), other.network())

    def what_if(self, *edits: Edit[Any]) -> Diff:
        """What these edits would change; nothing is changed.

        Raises:
            RefusedError: a rule of the product says no.
        """
        from netsim.verify.diff import diff
        from netsim.verify.whatif import what_if

        network = self.network()
        return diff(network, what_if(network, *edits))

"""Names of namespaces and devices, and MAC addresses: made from what they stand for, and never twice."""

from __future__ import annotations

import re

from netsim.errors import UsageError

MARK = "netsim"
"""What the name of each namespace of ours starts with."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)
_NO_LETTER = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
_LONGEST = 60

INSTANCE_MAC, SUBNET_MAC, PEER_MAC, PAIR_MAC, WIRE_MAC = range(1, 6)


def check_name(name: str) -> str:
    """The name of a deployment, if it may be one.

    Raises:
        UsageError: it may not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f'deployment name: "{name}", accepted 1..40 of A-Z a-z 0-9 _ -, the first a letter or digit')
    return name


def default_name(topology_name: str) -> str:
    """The name of a deployment that was given none."""
    cleaned = _NO_LETTER.sub("-", topology_name).strip("-_")[:40]
    return cleaned or "network"


class NamespaceNames:
    """Hands out the names of one deployment: `netsim.shop.web-1`, `netsim.shop.vpc.data`.

    The dots are ours: no deployment's name has one, so no two deployments share a name.
    """

    def __init__(self, deployment: str) -> None:
        self._prefix = f"{MARK}.{deployment}."
        self._taken: set[str] = set()

    def new(self, text: str, kind: str = "") -> str:
        """A name that shows the text, as far as a file name may."""
        stem = self._prefix + (f"{kind}." if kind else "") + (_NO_LETTER.sub("_", text)[:_LONGEST] or "_")
        name, n = stem, 1
        while name in self._taken:
            n += 1
            name = f"{stem}.{n}"
        self._taken.add(name)
        return name


def mac(kind: int, number: int) -> str:
    """A locally administered unicast address (IEEE 802: second lowest bit of the first octet)."""
    return ":".join(f"{octet:02x}" for octet in (2, kind, *number.to_bytes(4, "big")))

"""Limits of the product as data: two profiles, and single limits on top.

`product` is the cloud as sold. `research` lifts quotas, the number of transits and the rule that two
relay VPCs can't be peered, because research graphs have high degrees and long paths. One connection per
VPC pair holds in both: it is how the product identifies what links two VPCs, not a quota.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from netsim.controlplane.values import check_integer, quote, suggest
from netsim.errors import InvalidError

_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each; None is no limit.

    A connection counts in the VPCs of both sides and in the account that initiated it, in every state.
    Rules count without the system route. `transits` is how often one packet may leave a VPC it came into
    over a peer connection by another.
    """

    peer_connections_per_vpc: int | None = 10
    peer_connections_per_account: int | None = 10
    transits: int | None = 1
    vpcs_per_region: int | None = 10
    subnets_per_vpc: int | None = 10
    routes_per_vpc: int | None = 50
    relay_may_peer: bool = False


PRODUCT = Limits()
RESEARCH = Limits(None, None, None, None, None, None, relay_may_peer=True)
PROFILES: dict[str, Limits] = {"product": PRODUCT, "research": RESEARCH}
LIMIT_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Limits) if field.name != "relay_may_peer")
"""What `limits:` may set."""


def make_limits(profile: str = "product", overrides: Mapping[str, int | None] | None = None) -> Limits:
    """The limits of a profile with single ones replaced; None as a value lifts that limit.

    Raises:
        InvalidError: unknown profile or limit, or a limit that is no integer from 0 on.
    """
    if profile not in PROFILES:
        raise InvalidError(
            f"profile: {quote(profile)}, accepted {' or '.join(PROFILES)}{suggest(profile, PROFILES)}", field="profile"
        )
    for name, value in (overrides or {}).items():
        if name not in LIMIT_NAMES:
            raise InvalidError(
                f"limits: unknown limit {quote(name)}, accepted {', '.join(LIMIT_NAMES)}{suggest(name, LIMIT_NAMES)}",
                field=str(name),
            )
        if value is not None:
            check_integer(value, 0, _MOST, "limits", name)
    return replace(PROFILES[profile], **dict(overrides or {}))  # type: ignore[arg-type]  # names checked above

"""The ten metrics of a peer connection's side: names, units, and what each is computed from.

Five quantities, each in two directions. Egress leaves this side's VPC, ingress enters it. What
one side's egress dropped is the other side's ingress dropped: the packet would have come in.

A metric is `numerator / denominator * scale` of a sample's columns, so the value of a long
period is computed from sums and equals what one sample that long would have shown. A ratio over
nothing is 0.
"""

from __future__ import annotations

import difflib
from typing import Final, Literal, NamedTuple, get_args

from netsim.errors import InvalidError
from netsim.units import NS_PER_S, S_PER_DAY

Side = Literal["local", "peer"]
Direction = Literal["egress", "ingress"]
SIDES: Final[tuple[Side, ...]] = get_args(Side)
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)

STATISTICS: Final = ("average", "sum", "maximum", "minimum", "sample_count")
PERIODS_NS: Final = tuple(s * NS_PER_S for s in (60, 300, 1200, 3600, 6 * 3600, 12 * 3600, S_PER_DAY))
"""The sampling periods the product offers; any multiple of the base period works too."""


class Metric(NamedTuple):
    """One of the ten.

    `quantity` is bytes, bps, pps, drop_percent or utilization_percent; `unit` is for people.
    """

    name: str
    direction: Direction
    quantity: str
    unit: str
    title: str


def _of(direction: Direction) -> tuple[Metric, ...]:
    return (
        Metric(f"{direction}_bytes", direction, "bytes", "bytes", f"{direction} traffic"),
        Metric(f"{direction}_bps", direction, "bps", "bit/s", f"{direction} bandwidth"),
        Metric(f"{direction}_pps", direction, "pps", "packets/s", f"{direction} packet rate"),
        Metric(f"{direction}_drop_percent", direction, "drop_percent", "%", f"{direction} drops"),
        Metric(
            f"{direction}_utilization_percent", direction, "utilization_percent", "%", f"{direction} share of the cap"
        ),
    )


METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in (*_of("ingress"), *_of("egress"))}
"""By name, the five of ingress first."""


def metric_named(name: str) -> Metric:
    """The metric of this name.

    Raises:
        InvalidError: there is none; the message suggests the nearest.
    """
    if name in METRICS:
        return METRICS[name]
    near = difflib.get_close_matches(name, METRICS, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"accepted {', '.join(METRICS)}"
    raise InvalidError(f"metric {name!r} does not exist - {hint}", field="metric")


def check_side(side: str) -> Side:
    """The side, if it is one.

    Raises:
        InvalidError: neither `local` nor `peer`.
    """
    for known in SIDES:
        if side == known:
            return known
    raise InvalidError(f"side is {side!r}, accepted local or peer", field="side")


def check_statistics(statistics: tuple[str, ...]) -> None:
    """Refuse a statistic that does not exist.

    Raises:
        InvalidError: names it and those that do.
    """
    for statistic in statistics:
        if statistic not in STATISTICS:
            raise InvalidError(
                f"statistic {statistic!r} does not exist, accepted {', '.join(STATISTICS)}", field="statistics"
            )

"""Regions of the cloud, their zones, and how long light takes between them.

Codes are those of the vendor's public list (Baidu AI Cloud, VPC API, service domains; Chengdu and
Yangquan from its Terraform provider). Coordinates are the centres of the cities in degrees (WGS 84),
good to a kilometre or two, which is far below what the route factor can claim.

One-way delay: inside a region 0.5 ms; between regions the great-circle distance times 1.5 (cables
follow roads and coasts) at 200 km per ms (two thirds of the speed of light, as in glass). Distances are
rounded to whole kilometres before they become time, so the delays are the same on every machine.
"""

from __future__ import annotations

from functools import cache
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from netsim.controlplane.values import quote, suggest
from netsim.errors import InvalidError
from netsim.units import NS_PER_MS

SAME_REGION_DELAY_NS = NS_PER_MS // 2
DELAY_NS_PER_KM = NS_PER_MS * 3 // 2 // 200
"""1.5 km of cable per km, 200 km of cable per ms: 7500 ns."""

EARTH_RADIUS_KM = 6371.0088
"""The mean radius R1 of the IUGG."""


class Region(NamedTuple):
    """A region: its code, the city it is in, where that is."""

    code: str
    city: str
    latitude: float
    longitude: float


REGIONS: dict[str, Region] = {
    region.code: region
    for region in (
        Region("bj", "Beijing", 39.9042, 116.4074),
        Region("bd", "Baoding", 38.8739, 115.4646),
        Region("gz", "Guangzhou", 23.1291, 113.2644),
        Region("su", "Suzhou", 31.2990, 120.5853),
        Region("hkg", "Hong Kong", 22.3193, 114.1694),
        Region("fwh", "Wuhan", 30.5928, 114.3055),
        Region("fsh", "Shanghai", 31.2304, 121.4737),
        Region("sin", "Singapore", 1.3521, 103.8198),
        Region("cd", "Chengdu", 30.5728, 104.0668),
        Region("yq", "Yangquan", 37.8567, 113.5806),
    )
}


@cache
def distance_km(code: str, other: str) -> int:
    """The great-circle distance of two regions, whole km (haversine formula)."""
    here, there = REGIONS[code], REGIONS[other]
    phi, phi_there = radians(here.latitude), radians(there.latitude)
    d_lambda = radians(there.longitude - here.longitude)
    h = sin((phi_there - phi) / 2) ** 2 + cos(phi) * cos(phi_there) * sin(d_lambda / 2) ** 2
    return round(2 * EARTH_RADIUS_KM * asin(sqrt(h)))


def delay_ns(code: str, other: str) -> int:
    """The default one-way delay between two regions, ns; the same in both directions."""
    if code == other:
        return SAME_REGION_DELAY_NS
    return max(SAME_REGION_DELAY_NS, distance_km(*sorted((code, other))) * DELAY_NS_PER_KM)


def check_region(code: str, what: str, field: str = "region") -> str:
    """A region of the table.

    Raises:
        InvalidError: no region has this code.
    """
    if not isinstance(code, str) or code not in REGIONS:
        raise InvalidError(
            f"{what}: region {quote(code)}, accepted one of {', '.join(REGIONS)}{suggest(code, REGIONS)}", field=field
        )
    return code


def check_zone(zone: str, region: str, what: str, field: str = "zone") -> str:
    """A zone of the region: `cn-bj-a`, any lower-case letter; none given is the first, `a`.

    Zones come and go in the vendor's documents, so every letter is taken.

    Raises:
        InvalidError: not a zone, or one of another region.
    """
    if zone == "":
        return f"cn-{region}-a"
    stem = f"cn-{region}-"
    letter = zone[len(stem) :] if isinstance(zone, str) and zone.startswith(stem) else ""
    if len(letter) != 1 or not "a" <= letter <= "z":
        raise InvalidError(f"{what}: zone {quote(zone)}, accepted {stem}a to {stem}z", field=field)
    return zone

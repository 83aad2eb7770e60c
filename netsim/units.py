"""Named constants and exact integer conversions between units.

Everything in the core is an integer: time in ns, rates in bit/s, sizes in bytes.
Floats appear only at the borders (files, reports), and these functions turn them over.
"""

from __future__ import annotations

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
BITS_PER_BYTE = 8
BPS_PER_MBPS = 1_000_000
S_PER_DAY = 86_400
NS_PER_DAY = S_PER_DAY * NS_PER_S

# A week and a bit more than a century; no run is longer, and sums of two stay inside int64.
MAX_TIME_NS = 2**61


def s_to_ns(seconds: float) -> int:
    """Seconds to ns, to the nearest; exact for every decimal of up to six places below 10^9 s.

    A float is read as the shortest decimal that it is the float of: what a person wrote. The float
    itself lies up to 60 ns beside that at 10^9 s.
    """
    if isinstance(seconds, int):
        return seconds * NS_PER_S
    from decimal import Decimal  # only floats need it, and `netsim --help` has none

    return int((Decimal(repr(float(seconds))) * NS_PER_S).to_integral_value())


def ms_to_ns(milliseconds: float) -> int:
    """Milliseconds to ns, to the nearest."""
    return round(milliseconds * NS_PER_MS)


def mbps_to_bps(mbps: float) -> int:
    """Megabits per second (10^6) to bit/s, to the nearest."""
    return round(mbps * BPS_PER_MBPS)

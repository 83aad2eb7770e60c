"""Which region a request asks: the vendor's hosts name it, `bcc.gz.baidubce.com`; no parameter does."""

from __future__ import annotations

import re

from netsim.api.error_codes import HttpError
from netsim.controlplane.region import REGIONS
from netsim.errors import UsageError

_HOST = re.compile(r"[a-z0-9-]+\.(?P<region>[a-z0-9-]+)\.baidubce\.com(:\d+)?", re.ASCII)
_LABEL = re.compile(r"(?P<region>[a-z]+)\.localhost(:\d+)?", re.ASCII)


def check_default(code: str) -> None:
    """Refuse a default region that does not exist.

    Raises:
        UsageError: it names those that do.
    """
    if code not in REGIONS:
        raise UsageError(f"region {code!r} does not exist, accepted {', '.join(REGIONS)}")


def region_of(host: str, default: str) -> str:
    """The region of a Host header: of the vendor's names, of `gz.localhost`, else the default.

    Raises:
        HttpError: InvalidURI for a region that does not exist.
    """
    match = _HOST.fullmatch(host.lower()) or _LABEL.fullmatch(host.lower())
    if match is None:
        return default
    region = match["region"]
    if region not in REGIONS:
        raise HttpError("InvalidURI", f"there is no region {region[:20]!r}, accepted {', '.join(REGIONS)}")
    return region

"""Zones of a region. Source: cloud.baidu.com/doc/BCC/s/ijwvyo9im."""

from __future__ import annotations

from netsim.api.call import Call, Reply
from netsim.api.json_codec import dump

LETTERS = "abcdef"
"""Any letter of the region is accepted in a subnet; these are listed."""


def list_zones(call: Call) -> Reply:
    """GET /v2/zone."""
    return Reply(body=dump({"zones": [{"zoneName": f"cn-{call.region}-{letter}"} for letter in LETTERS]}))

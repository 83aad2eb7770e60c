"""Everything an inventory knows, as one comparable value: resources, indices, quotas, ids to come, versions."""

from __future__ import annotations

from typing import Any

from netsim.controlplane.inventory import Inventory
from netsim.controlplane.tables import Tables, VpcEntry

# In order of creation, which must survive too; of other dicts only the contents matter.
IN_ORDER = {"accounts", "vpcs", "subnets", "instances", "rules", "peer_conns", "entries", "dns"}
NOT_STATE = {"clock", "limits", "log", "ids", "_deadlines", "_new_deadlines", "_issued_before", "_events_before"}


def snapshot(inventory: Inventory) -> dict[str, Any]:
    tables = inventory._tables
    assert not tables.log._steps and not tables.log._unordered and not tables._new_deadlines
    state = {name: _freeze(value, name) for name, value in vars(tables).items() if name not in NOT_STATE}
    return state | {"issued": tables.ids.issued.copy(), "deadlines": _deadlines(tables)}


def _deadlines(tables: Tables) -> set[tuple[int, str]]:
    """Those that count: the rest are left-overs that nobody acts on."""
    return {
        (at, i) for at, _, i in tables._deadlines if i in tables.peer_conns and tables.peer_conns[i].deadline_ns == at
    }


def _freeze(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        items = [(key, _freeze(each, "")) for key, each in value.items()]
        is_id_set = all(each is None for each in value.values())
        return items if name in IN_ORDER or is_id_set else sorted(items, key=repr)
    if isinstance(value, VpcEntry):
        return {slot: _freeze(getattr(value, slot), slot) for slot in VpcEntry.__slots__}
    return list(value) if isinstance(value, list) else value

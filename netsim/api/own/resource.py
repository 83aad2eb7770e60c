"""Resources in netsim's own words: listed as `netsim show` lists a file's, changed by edits.

    GET  /netsim/v1/resource/{noun}[?vpc=&region=|?ref=]   {"account", "columns", "rows"}
    POST /netsim/v1/resource                               {"edits": [{"edit": "CreateVpc", …}], "dryRun"?}

The edits of one request commit together or not at all; those of a request with a `clientToken` once. Unlike
the vendor's API this one takes names wherever ids are taken, and has no regions of its own: a tenant sees all
that it owns. A VPC that is made without a region is made in that of the host that was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from netsim.api.call import Call, Reply
from netsim.api.error_codes import HttpError
from netsim.api.json_codec import dump, member
from netsim.controlplane import edit
from netsim.controlplane.edit import Edit
from netsim.controlplane.view import View
from netsim.emulator import Emulator
from netsim.resource_rows import NOUNS, noun_and_id, row_of, rows_of
from netsim.store.edit_codec import CLASSES, KIND, of_json

MAX_EDITS = 100


def list_resources(call: Call) -> Reply:
    """GET /netsim/v1/resource/{noun}: rows, of one VPC or one region, or the one that `ref` names."""
    noun = call.params["noun"]
    vpc, region, ref = (call.query.get(key, "") for key in ("vpc", "region", "ref"))
    if noun not in NOUNS:
        raise HttpError("InvalidURI", f"there is no {noun[:60]!r}, accepted {', '.join(NOUNS)}")

    def look(view: View) -> dict[str, Any]:
        found = row_of(noun, view, ref) if ref else rows_of(noun, view, view.vpc(vpc) if vpc else None)
        rows = [row for row in found.rows if not region or row.get("region") == region]
        return {"account": view.account, "columns": found.columns, "rows": rows}

    return Reply(body=dump(call.read(look)))


def change_resources(call: Call) -> Reply:
    """POST /netsim/v1/resource: what each edit made, changed or took away, as its noun and id."""
    written = member(call.body, "edits", list)
    if not 1 <= len(written) <= MAX_EDITS:
        raise HttpError("BadRequest", f"edits holds {len(written)}, accepted 1..{MAX_EDITS}")
    edits = tuple(_edit(call, each) for each in written)
    if member(call.body, "dryRun", bool, False):
        return Reply(body=dump(call.service.read(lambda emulator: _attempt(emulator, edits, call.account))))
    return call.change(lambda _: edits, lambda made: _results(made if len(edits) > 1 else (made,)))


def _attempt(emulator: Emulator, edits: tuple[Edit[Any], ...], account: str) -> dict[str, Any]:
    with emulator.inventory.attempted(*edits, account=account) as results:
        view = emulator.inventory.visible_to(account)
        answer = _results(results)
        for result in answer["results"]:
            found = rows_of(result["noun"], view)
            result["columns"] = found.columns
            result["row"] = next((row for row in found.rows if row["id"] == result["id"]), None)
        return answer


def _results(made: tuple[Any, ...]) -> dict[str, Any]:
    return {"results": [dict(zip(("noun", "id"), noun_and_id(each), strict=True)) for each in made]}


def _edit(call: Call, written: Any) -> Edit[Any]:
    """The edit that was written, with fields of the right kinds: what they hold is the control plane's to judge."""
    if not isinstance(written, dict):
        raise HttpError("BadRequest", 'an edit is no object, expected like {"edit": "DeleteVpc", "vpc": "shop"}')
    name = written.get(KIND)
    accepted = _fields(name) if isinstance(name, str) and name in CLASSES else {}
    for field, value in written.items():
        if field in accepted and not _is_one(value, accepted[field]):
            raise HttpError("BadRequest", f"edit {name}: {field} is {json.dumps(value)[:60]}")
    made = of_json(written)
    if isinstance(made, edit.CreateVpc) and made.region == "":
        return replace(made, region=call.region)
    return made


@cache
def _fields(name: str) -> dict[str, tuple[type, ...]]:
    """What JSON values each field of an edit takes: what people write, so prefixes and next hops are texts."""
    accepted = {}
    for field, hint in get_type_hints(CLASSES[name]).items():
        kinds = {get_origin(part) or part for part in get_args(hint) or (hint,)}
        found: set[type] = {kind for kind in (str, bool, int, type(None)) if kind in kinds}
        if float in kinds:
            found |= {int, float}
        if get_origin(hint) is Iterable or Iterable in kinds:
            found = (found - {str, int}) | {list}
        accepted[field] = tuple(found)
    return accepted


def _is_one(value: Any, kinds: tuple[type, ...]) -> bool:
    if type(value) is list:
        return list in kinds and all(type(item) is str for item in value)
    return type(value) in kinds

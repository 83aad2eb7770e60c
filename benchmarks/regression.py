"""Whether a new run is worse than the results on file: ratios by their spread, counts exactly."""

from __future__ import annotations

from typing import Any

LEAST_TOLERANCE = 0.2
"""A ratio may fall by this much at least: the same code did, on a quiet machine."""


def regressions(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """A line for each row of the new run that is worse, or can't be compared."""
    if old["about"]["quick"] != new["about"]["quick"]:
        names = ["a full run", "a quick run"]
        return [f"the results are of {names[old['about']['quick']]}, this was {names[new['about']['quick']]}"]
    before = {key_of(row): row for row in old["rows"]}
    lines = []
    for row in new["rows"]:
        if key_of(row) in before:
            lines += [f"{key_of(row)}: {what}" for what in worse(before[key_of(row)], row)]
    return lines


def key_of(row: dict[str, Any]) -> str:
    """What names a row."""
    return f"{row['question']} | {row['peer']}"


def worse(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What is worse in one row."""
    found = []
    if old["ratio"] and new["ratio"]:
        least = old["ratio"] * (1 - tolerance(old, new))
        if new["ratio"] < least:
            found.append(f"ratio {new['ratio']:.1f}, was {old['ratio']:.1f}, at least {least:.1f} expected")
    for side in ("ours", "theirs"):
        a, b = old[side], new[side]
        if a and b and a["work"] == b["work"] and a["counts"] != b["counts"]:
            found.append(f"counts of {b['name']} changed: {a['counts']} is now {b['counts']}")
    for what in ("exponent", "value"):
        if old[what] is not None and new[what] is not None and old["target"] is not None:
            most = max(old[what] * (1 + LEAST_TOLERANCE), old["target"] if old["meets_target"] else 0)
            if new[what] > most:
                found.append(f"{what} {new[what]:.3g}, was {old[what]:.3g}, at most {most:.3g} expected")
    return found


def tolerance(*rows: dict[str, Any]) -> float:
    """The part a ratio may fall by: what the quartiles of either run are apart from the median, twice."""
    spread = [LEAST_TOLERANCE]
    for row in rows:
        low, high = row["quartiles"] or (row["ratio"], row["ratio"])
        spread.append((high - low) / row["ratio"])
    return min(0.6, max(spread))

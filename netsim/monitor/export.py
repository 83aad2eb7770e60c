"""Samples as rows for people and programs: the `samples` of a run's JSON, and CSV.

A row's keys and their order are a contract (the run's JSON); CSV has the same columns. Numbers
are numbers: whole ones are written without a point. Files appear whole or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from netsim.errors import UsageError
from netsim.monitor.monitor import Sample
from netsim.units import BITS_PER_BYTE, NS_PER_S

SAMPLE_COLUMNS: Final = (
    "peer_connection",
    "side",
    "start_s",
    "period_s",
    "egress_bytes",
    "ingress_bytes",
    "egress_bps",
    "ingress_bps",
    "egress_packets",
    "ingress_packets",
    "egress_dropped_packets",
    "ingress_dropped_packets",
)

Row = dict[str, str | int | float]


def sample_row(sample: Sample) -> Row:
    """One sample with the keys `SAMPLE_COLUMNS`, in that order."""
    return {
        "peer_connection": sample.connection,
        "side": sample.side,
        "start_s": _quotient(sample.start_ns, NS_PER_S),
        "period_s": _quotient(sample.period_ns, NS_PER_S),
        "egress_bytes": sample.egress_bytes,
        "ingress_bytes": sample.ingress_bytes,
        "egress_bps": _quotient(sample.egress_bytes * BITS_PER_BYTE * NS_PER_S, sample.period_ns),
        "ingress_bps": _quotient(sample.ingress_bytes * BITS_PER_BYTE * NS_PER_S, sample.period_ns),
        "egress_packets": sample.egress_packets,
        "ingress_packets": sample.ingress_packets,
        "egress_dropped_packets": sample.egress_dropped_packets,
        "ingress_dropped_packets": sample.ingress_dropped_packets,
    }


def sample_rows(samples: Iterable[Sample]) -> list[Row]:
    """The `samples` array of a run's JSON."""
    return [sample_row(sample) for sample in samples]


def to_json(samples: Iterable[Sample]) -> str:
    """A JSON array with one row on each line, so that two runs can be compared line by line."""
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in sample_rows(samples)]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def to_csv(samples: Iterable[Sample]) -> str:
    r"""CSV as RFC 4180 quotes it, with a header; lines end with `\n`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, SAMPLE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sample_rows(samples))
    return text.getvalue()


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file that appears whole or not at all; an older one stays until then.

    Raises:
        UsageError: the folder is absent, or not writable.
    """
    target = Path(path)
    # In the same folder: a rename is atomic only within one file system.
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as failure:
        partial.unlink(missing_ok=True)
        raise UsageError(f"{target}: can't be written: {failure.strerror}") from failure


def _quotient(numerator: int, denominator: int) -> int | float:
    """The quotient of integers: int where it is whole; 0 over nothing."""
    if denominator == 0:
        return 0
    whole, rest = divmod(numerator, denominator)
    return numerator / denominator if rest else whole

"""A hang is a failure: what all threads are doing is printed, and the run ends."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator

import pytest

HANG_S = 120


@pytest.fixture(autouse=True)
def guard() -> Iterator[None]:
    """Each test of this folder ends, or ends the run."""
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()

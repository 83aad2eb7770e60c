"""What tests of a server on a real socket share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_tracebacks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever arrives, nothing of it is an error of the server."""
    caplog.set_level(logging.ERROR)
    yield
    assert not caplog.records, caplog.text

"""Compiled kernels, once per session."""

from __future__ import annotations

import pytest

from tests.dataplane.experiment import run_engine
from tests.dataplane.random_experiment import random_experiment


@pytest.fixture(scope="session")
def compiled_kernels() -> None:
    """Compiles what `Engine` needs (a minute, or one second if an earlier session left it in the cache)."""
    run_engine(random_experiment(1), is_compiled=True)

"""Deployments for tests: each with a name and a journal of its own, so that tests run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netsim.controlplane.inventory import Inventory
from netsim.errors import CapabilityError
from netsim.kernel import capability
from netsim.kernel.deploy import deploy, destroy
from netsim.kernel.journal import Deployed, Journal
from netsim.kernel.planner import plan
from tests.kernel.bench import Bench
from tests.kernel.names import fresh_name

Build = Callable[[Inventory], Deployed]


@pytest.fixture(scope="session")
def real_kernel() -> None:
    """The kernel and tools that `deploy` needs, or a skip that says what is missing."""
    try:
        capability.require()
    except CapabilityError as error:
        pytest.skip(str(error))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal for this test alone."""
    return Journal(tmp_path / "run")


@pytest.fixture
def build(request: pytest.FixtureRequest, journal: Journal) -> Iterator[Build]:
    """Deploys inventories; all of it goes away with the test."""
    request.getfixturevalue("real_kernel")
    names = []

    def made(inventory: Inventory) -> Deployed:
        names.append(fresh_name())
        return deploy(plan(inventory, names[-1]), journal=journal)

    yield made
    for name in names:
        destroy(name, journal=journal)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for name in made.names:
        destroy(name, journal=made.journal)

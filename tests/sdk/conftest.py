from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sdk.cloud import Cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    served = Cloud(tmp_path / "cloud.db")
    yield served
    served.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The SDK leaves the sockets of its answers to the garbage collector, which says so."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))

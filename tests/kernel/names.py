"""Names of deployments that no other test has, also not one in another process."""

from __future__ import annotations

import itertools
import os

_numbers = itertools.count()


def fresh_name() -> str:
    """A deployment's name."""
    return f"t{os.getpid()}-{next(_numbers)}"

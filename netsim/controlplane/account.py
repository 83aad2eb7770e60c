"""An account: a tenant, who owns VPCs and pays for the connections it initiates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant; `id` is its name too."""

    id: str

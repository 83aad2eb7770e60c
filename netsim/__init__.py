"""netsim: a network traffic emulator with packet forwarding for cloud VPC networks."""

from __future__ import annotations

__version__ = "0.1.0"

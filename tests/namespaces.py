"""Linux network namespaces that a test builds for itself: hosts, veth cables, and commands in them.

Everything lives inside the namespaces, whose names carry the process id; nothing of the machine's own network is
touched, and `close` leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess


def why_not() -> str:
    """Why no namespace can be made and entered here, "" if one can; found out by doing it."""
    if shutil.which("ip") is None:
        return "no ip command (Debian: iproute2)"
    probe = f"netsim-{os.getpid()}-probe"
    try:
        _ip("netns", "add", probe)
        _ip("netns", "exec", probe, "true")
    except RuntimeError as error:
        return str(error)
    finally:
        subprocess.run(["ip", "netns", "delete", probe], capture_output=True, check=False)
    return ""


class Namespaces:
    """The hosts and cables of one test."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def host(self, name: str) -> str:
        """The namespace called `name`, made with its loopback up at the first call; returns its real name."""
        if name not in self._names:
            real = f"netsim-{os.getpid()}-{name}"
            _ip("netns", "add", real)
            self._names[name] = real
            _ip("-n", real, "link", "set", "lo", "up")
        return self._names[name]

    def cable(self, left: str, left_cidr: str, right: str, right_cidr: str) -> tuple[str, str]:
        """Join two hosts by a veth pair; `*_cidr` like "192.0.2.1/24". Returns the two interface names."""
        ends = (f"to-{right}"[:15], f"to-{left}"[:15])  # IFNAMSIZ: 15 characters and a zero
        real = (self.host(left), self.host(right))
        _ip("link", "add", ends[0], "netns", real[0], "type", "veth", "peer", "name", ends[1], "netns", real[1])
        for name, end, cidr in zip(real, ends, (left_cidr, right_cidr), strict=True):
            _ip("-n", name, "address", "add", cidr, "dev", end)
            _ip("-n", name, "link", "set", end, "up")
        return ends

    def run(self, host: str, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command on a host until it ends; its exit code is the caller's to judge."""
        return subprocess.run(
            ["ip", "netns", "exec", self.host(host), *command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def close(self) -> None:
        """Delete every namespace, and with it its cables."""
        while self._names:
            _, real = self._names.popitem()
            _ip("netns", "delete", real)


def _ip(*args: str) -> None:
    """One `ip` command; its complaint becomes the exception's text."""
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(args)}: {done.stderr.strip()}")

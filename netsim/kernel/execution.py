"""Becoming a program on a node: `netsim exec web-1 -- CMD`.

The process enters the node's namespaces and then *is* the command: its terminal, signals and exit code are the
command's own, and nothing stands in between. In a mount namespace of its own it sees the node's /sys and an /etc/hosts
that knows the instances by name. The host's files stay as they are.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from netsim.errors import CapabilityError
from netsim.kernel import namespace
from netsim.kernel.journal import Deployed

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""As shells have them."""


def execute(deployed: Deployed, ref: str, command: Sequence[str]) -> int:
    """Become the command; returns only if it can't be started, with the exit code for that.

    Raises:
        NotFoundError: no such node.
        CapabilityError: the namespace can't be entered.
    """
    node = deployed.node(ref)
    _enter(str(node["namespace"]), deployed.hosts.get(str(node["vpc"]), ""))
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these; the command is to find them as a shell would leave them.
    for which in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(which, signal.SIG_DFL)
    try:
        os.execvp(command[0], list(command))  # noqa: S606 - the user's own command
    except (FileNotFoundError, NotADirectoryError):
        why, code = "command not found", NOT_FOUND
    except (OSError, ValueError) as error:
        why, code = getattr(error, "strerror", None) or str(error), NOT_EXECUTABLE
    sys.stderr.write(f"netsim: exec: {' '.join(command[0].split())}: {why}\n")
    return code


def _enter(name: str, hosts: str) -> None:
    if os.geteuid():
        raise CapabilityError("exec: entering a namespace needs root (sudo netsim exec …)")
    try:
        there = os.open(namespace.FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise CapabilityError(f"namespace {name}: gone (netsim cleanup, then netsim deploy)") from None
    try:
        namespace.unshare(namespace.CLONE_NEWNS)
        # What is mounted from here on is seen by this process and its children only.
        namespace.mount("none", "/", "none", namespace.MS_REC | namespace.MS_SLAVE)
        namespace.set_namespace(there)
    except OSError as error:
        raise CapabilityError(f"namespace {name}: can't be entered: {error.strerror}") from None
    finally:
        os.close(there)
    # Comforts: where a container forbids them, the command runs without.
    with contextlib.suppress(OSError):
        namespace.unmount("/sys")
        namespace.mount(name, "/sys", "sysfs", 0)
    with contextlib.suppress(OSError):
        _mount_hosts(hosts)


def _mount_hosts(hosts: str) -> None:
    if not Path("/etc/hosts").exists():
        return
    with tempfile.NamedTemporaryFile("w", prefix="netsim-hosts-", encoding="utf-8") as file:
        file.write(hosts)
        file.flush()
        Path(file.name).chmod(0o644)
        # The mount holds the file; its name may go.
        namespace.mount(file.name, "/etc/hosts", "none", namespace.MS_BIND)

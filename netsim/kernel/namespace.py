"""Linux namespaces from Python: entering one, whose processes are in it, letting go of its name.

All is done by names below /run/netns, where `ip netns` keeps them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from netsim.errors import CapabilityError

FOLDER = Path("/run/netns")

CLONE_NEWNS = 0x0002_0000  # linux/sched.h
CLONE_NEWNET = 0x4000_0000
MNT_DETACH = 2
MS_REC, MS_SLAVE, MS_BIND = 16_384, 1 << 19, 4096  # linux/mount.h

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(code: int, what: str) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Give this process namespaces of its own (unshare(2)).

    Raises:
        OSError: not allowed.
    """
    _checked(_libc.unshare(flags), "unshare")


def set_namespace(fd: int) -> None:
    """Enter the network namespace behind a file descriptor (setns(2)); this thread only.

    Raises:
        OSError: not allowed.
    """
    _checked(_libc.setns(fd, CLONE_NEWNET), "setns")


def mount(source: str, target: str, kind: str, flags: int) -> None:
    """Mount a file system or a file, see the manual of mount (2).

    Raises:
        OSError: not allowed.
    """
    _checked(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, None), target)


def unmount(target: str) -> None:
    """Take a mount away, as umount2(2) does; whoever uses it goes on using it.

    Raises:
        OSError: not mounted, or not allowed.
    """
    _checked(_libc.umount2(target.encode(), MNT_DETACH), target)


def exists(name: str) -> bool:
    """Whether there is a namespace, or a file, of this name."""
    return (FOLDER / name).exists()


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread, and the processes it starts, are in the namespace; afterwards back where they were.

    Raises:
        CapabilityError: it is not there, or may not be entered.
    """
    with contextlib.ExitStack() as stack:
        try:
            home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, home)
            there = os.open(FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, there)
            set_namespace(there)
        except OSError as error:
            raise CapabilityError(f"namespace {name}: can't be entered: {error.strerror}") from None
        stack.callback(set_namespace, home)
        yield


def remove(name: str) -> bool:
    """Take away the name; the namespace goes with it when no process is left inside. Whether there was one."""
    path = FOLDER / name
    # Not mounted: what `ip netns add` leaves when it is killed in between. A name may be mounted twice.
    with contextlib.suppress(OSError):
        while True:
            unmount(str(path))
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def processes_in(names: Iterable[str]) -> list[int]:
    """The ids of the processes whose network namespace is one of these."""
    wanted = set()
    for name in names:
        with contextlib.suppress(OSError):
            found = (FOLDER / name).stat()
            wanted.add((found.st_dev, found.st_ino))
    return [] if not wanted else [pid for pid in _pids() if _namespace_of(pid) in wanted]


def end_processes(names: Iterable[str], patience_s: float = 2.0) -> int:
    """Ask the processes inside to end, and end those that don't; returns how many there were.

    Each is held by a pidfd and looked at again before it is told: an id may be another's by then.
    """
    names = list(names)
    held = {}
    for pid in processes_in(names):
        with contextlib.suppress(OSError):
            held[pid] = os.pidfd_open(pid)
    try:
        still = set(processes_in(names)) & held.keys()
        for which in (signal.SIGTERM, signal.SIGKILL):
            for pid in still:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(held[pid], which)
            still = _waited_for({pid: held[pid] for pid in still}, patience_s)
    finally:
        for fd in held.values():
            os.close(fd)
    return len(held)


def _waited_for(held: dict[int, int], patience_s: float) -> set[int]:
    """Those of the processes that have not ended in time."""
    poll = select.poll()
    pid_of = {fd: pid for pid, fd in held.items()}
    for fd in pid_of:
        poll.register(fd, select.POLLIN)  # a pidfd is readable when its process has ended
    deadline = time.monotonic() + patience_s
    while pid_of and (left := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            poll.unregister(fd)
            del pid_of[fd]
    return set(pid_of.values())


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _namespace_of(pid: int) -> tuple[int, int] | None:
    try:
        found = Path(f"/proc/{pid}/ns/net").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

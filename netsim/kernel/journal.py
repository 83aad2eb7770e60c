"""What is deployed, and what was about to be: one file for each deployment, written before anything is made.

    <folder>/shop.json      its namespaces, its nodes, and whether it is complete

A file that is not `complete` while nobody holds the lock belongs to a command that was killed. Its namespaces are
the leftovers, and nothing else is: each name was free when the file was written.

The lock is on the folder itself, and shared with the processes a command starts: it is free when the last of them has
ended, also when the command was killed before. An empty folder goes away with the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from netsim.errors import CapabilityError, NotFoundError

VERSION = 1
Phase = Literal["building", "complete", "destroying"]


def folder() -> Path:
    """Where the files are: `NETSIM_RUN_DIR`, else /run/netsim, which a restart of the machine empties."""
    return Path(os.environ.get("NETSIM_RUN_DIR") or "/run/netsim")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as its file tells.

    Attributes:
        name, phase: which one, how far.
        digest: of all that was built; equal for equal plans.
        file: the topology file's absolute path, "" for none.
        namespaces: all of them.
        nodes: by `shop/web-1` and, where nothing else has the name, `web-1`; routers by VPC: what `exec` may enter.
        hosts: by VPC id, the text of /etc/hosts.
        notes: what differs from the file's wishes.
    """

    name: str
    phase: Phase
    digest: str
    file: str
    namespaces: tuple[str, ...]
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def namespace_of(self, ref: str) -> str:
        """The namespace of an instance (`web-1`, `shop/web-1`) or of a VPC's router (`shop`).

        Raises:
            NotFoundError: no such node.
        """
        return str(self.node(ref)["namespace"])

    def node(self, ref: str) -> dict[str, Any]:
        """`namespace`, `kind`, `vpc` (id) and `addr` of a node.

        Raises:
            NotFoundError: no such node.
        """
        if ref not in self.nodes:
            from difflib import get_close_matches

            near = get_close_matches(ref, self.nodes, n=1)
            hint = f', did you mean "{near[0]}"?' if near else ""
            raise NotFoundError(f'deployment {self.name}: "{ref}" is no instance or VPC of it{hint}')
        return self.nodes[ref]


class Journal:
    """The files; reading needs no lock."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = folder() if path is None else path

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the lock; waits for whoever has it. Gives the file descriptor to hand on to started processes.

        Raises:
            CapabilityError: the folder can't be made.
        """
        lock = self._lock()
        try:
            yield lock
        finally:
            with contextlib.suppress(OSError):
                self.path.rmdir()  # only if empty
            os.close(lock)

    def _lock(self) -> int:
        while True:
            try:
                self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
                lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # taken away in between by a command that left nothing
            except OSError as error:
                raise CapabilityError(f"{self.path}: can't be made: {error.strerror}") from None
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), self.path.stat()):
                    return lock
            os.close(lock)

    def all(self) -> list[Deployed]:
        """All deployments, by name.

        Raises:
            CapabilityError: a file can't be read.
        """
        found = [self.get(name.removesuffix(".json")) for name in self._names() if name.endswith(".json")]
        return [deployed for deployed in found if deployed is not None]

    def get(self, name: str) -> Deployed | None:
        """The deployment of this name.

        Raises:
            CapabilityError: its file can't be read.
        """
        path = self._file(name)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            version = data.pop("version")
            if version == VERSION:
                return Deployed(**(data | {key: tuple(data[key]) for key in ("namespaces", "notes")}))
            why = f"of version {version}, expected {VERSION}"
        except FileNotFoundError:
            return None
        except OSError as error:
            why = str(error.strerror)
        except (ValueError, KeyError, TypeError, AttributeError):
            why = "not as netsim writes it"
        raise CapabilityError(f"{path}: can't be read: {why}")

    def put(self, deployed: Deployed) -> None:
        """Write it, whole or not at all, and on disk before this returns."""
        partial = self.path / f".{deployed.name}.part"
        with partial.open("w", encoding="utf-8") as file:
            json.dump({"version": VERSION, **asdict(deployed)}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._file(deployed.name))

    def mark(self, deployed: Deployed, phase: Phase) -> Deployed:
        """Write how far it is now."""
        changed = replace(deployed, phase=phase)
        self.put(changed)
        return changed

    def drop(self, name: str) -> None:
        """Forget it."""
        self._file(name).unlink(missing_ok=True)
        self.drop_partial(name)

    def drop_partial(self, name: str) -> None:
        """Remove what a killed `put` left."""
        (self.path / f".{name}.part").unlink(missing_ok=True)

    def partials(self) -> list[str]:
        """Names whose `put` was killed."""
        return [name[1:].removesuffix(".part") for name in self._names() if name.endswith(".part")]

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self.path.iterdir())
        except OSError:
            return []

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.json"

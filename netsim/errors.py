"""The exception tree of netsim.

Exceptions are raised at the border, where the mistake was made. Packets never raise: they
meet a disposition (`netsim.dataplane.disposition`). Each class names the exit code a command
ends with; `api/` has its own table from class to HTTP status.

    NetsimError                      70
    ├── UsageError                    2   the caller asked in a way that makes no sense
    ├── TopologyError                 3   a topology file is wrong; carries every problem
    ├── CaptureError                  3   a capture file is wrong; carries the offset
    ├── RefusedError                  4   a rule of the product says no
    │   ├── NotFoundError                 no such thing, or not visible to this account
    │   ├── InvalidError                  a value outside what is accepted
    │   ├── ConflictError                 it contradicts something that exists
    │   ├── QuotaError                    a limit is reached
    │   └── StateError                    not possible in the present state
    ├── CapabilityError               6   this machine lacks something
    └── ClockError                   70   time was asked to run backwards
"""

from __future__ import annotations

from dataclasses import dataclass


class NetsimError(Exception):
    """Base of all errors of netsim; the message is one line."""

    exit_code = 70


class UsageError(NetsimError):
    """The request itself makes no sense (unknown name, contradictory options)."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file: where (1-based line and column, 0 = whole file) and what."""

    line: int
    column: int
    path: str
    message: str

    def text(self, file_name: str) -> str:
        """One line, `file:line:col  path: message`, as compilers print it."""
        place = f"{file_name}:{self.line}:{self.column}" if self.line else file_name
        return f"{place}  {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class TopologyError(NetsimError):
    """A topology file that can't be used; `problems` holds every problem found."""

    exit_code = 3

    def __init__(self, file_name: str, problems: list[Problem]) -> None:
        self.file_name = file_name
        self.problems = sorted(problems)
        super().__init__("\n".join(problem.text(file_name) for problem in self.problems))


class CaptureError(NetsimError):
    """A capture file that can't be read; `offset` is the byte where it goes wrong."""

    exit_code = 3

    def __init__(self, file_name: str, offset: int, message: str) -> None:
        self.file_name = file_name
        self.offset = offset
        super().__init__(f"{file_name}: at byte {offset}: {message}")


class RefusedError(NetsimError):
    """A rule of the product refuses the operation.

    `field` names the argument that is to blame (a field of the edit), "" when it is the whole.
    `edit_index` says which of several edits that were to commit together was refused.
    """

    exit_code = 4
    edit_index = 0

    def __init__(self, message: str, *, field: str = "") -> None:
        self.field = field
        super().__init__(message)


class NotFoundError(RefusedError):
    """No such resource, or the asking account may not see it: the two read the same."""


class InvalidError(RefusedError):
    """A value outside what is accepted."""


class ConflictError(RefusedError):
    """The operation contradicts something that exists already."""


class QuotaError(RefusedError):
    """A limit is reached; carries which and how many."""

    def __init__(self, message: str, *, limit: str, accepted: int, field: str = "") -> None:
        self.limit = limit
        self.accepted = accepted
        super().__init__(message, field=field)


class StateError(RefusedError):
    """The resource is in a state that does not allow the operation."""


class CapabilityError(NetsimError):
    """The machine lacks a capability the command needs."""

    exit_code = 6


class ClockError(NetsimError):
    """A clock was asked to run backwards."""

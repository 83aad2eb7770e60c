"""Which deployment is meant: by its name, by the file it was made from, or because it is the only one."""

from __future__ import annotations

from pathlib import Path

from netsim.errors import NotFoundError, UsageError
from netsim.kernel.journal import Deployed, Journal


def choose(journal: Journal, name: str | None = None, file: str | None = None) -> Deployed:
    """The deployment meant.

    Raises:
        NotFoundError: it is not there.
        UsageError: there are several, and nothing says which.
    """
    there = journal.all()
    if name is not None:
        found = [each for each in there if each.name == name]
        what = f'deployment "{name}": not found'
    elif file is not None:
        path = str(Path(file).absolute())
        found = [each for each in there if each.file == path]
        what = f"{file}: not deployed"
    else:
        found, what = there, "nothing is deployed"
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.name for each in found or there)
    if found:
        raise UsageError(f"which deployment? there are {names}; say --name NAME")
    raise NotFoundError(f"{what}; {f'there are {names}' if names else 'netsim deploy FILE makes one'}")

"""accounts.yaml: who may call a server, `accounts: [{id, access_key, secret_key}]`.

A file of credentials is the same for those who call: it may say `server:` and `operator_token:` too.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from netsim.errors import Problem, TopologyError, UsageError

MAX_FILE_BYTES = 1 << 20
_MEMBERS = ("id", "access_key", "secret_key")
_MAX_KEY_CHARS = 128


class Credentials(NamedTuple):
    """An access key of an account, and its secret."""

    account: str
    access_key: str
    secret_key: str


class CredentialsFile(NamedTuple):
    """What a file of credentials says; "" for what it does not."""

    server: str
    operator_token: str
    accounts: list[Credentials]


def read_accounts(path: str | Path) -> list[Credentials]:
    """The accounts of a file, in order; an account may stand there with several keys.

    Raises:
        TopologyError: the file can't be read or says something else; with every problem.
    """
    return _accounts_of(str(path), _document(path))


def read_credentials(path: str | Path) -> CredentialsFile:
    """A file of credentials.

    Raises:
        TopologyError: the file can't be read or says something else; with every problem.
    """
    document = _document(path)
    said = {"server": "", "operator_token": ""}
    for member in said if isinstance(document, dict) else ():
        if member in document:
            said[member] = document.pop(member)
            if not isinstance(said[member], str):
                raise _wrong(str(path), f"{member}: expected a text")
    # Its server may have had no key yet.
    is_bare = document == {"accounts": []} and any(said.values())
    return CredentialsFile(**said, accounts=[] if is_bare else _accounts_of(str(path), document))


def write_credentials(path: str | Path, said: CredentialsFile) -> None:
    """Put a file of credentials in place, in one go, readable by this user only.

    Raises:
        UsageError: it can't be written.
    """
    lines = [f"{key}: {json.dumps(value)}" for key, value in said._asdict().items() if isinstance(value, str) and value]
    lines.append("accounts:" if said.accounts else "accounts: []")
    for account in said.accounts:
        entry = ", ".join(f"{key}: {json.dumps(value)}" for key, value in zip(_MEMBERS, account, strict=True))
        lines.append(f"- {{{entry}}}")
    target = Path(path)
    partial = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"{path}: can't be written: {error.strerror}") from None


def _document(path: str | Path) -> Any:
    import yaml

    name = str(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _wrong(name, f"can't be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise _wrong(name, f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        return _load(raw)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise TopologyError(name, [Problem(line, column, "", error.problem or "is not YAML")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise _wrong(name, f"is not YAML: {str(error).splitlines()[0][:100]}") from None


def _accounts_of(name: str, document: Any) -> list[Credentials]:
    entries = document.get("accounts") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or set(document) != {"accounts"}:
        raise _wrong(name, "expected accounts: [{id, access_key, secret_key}, …] and nothing else")
    problems: list[Problem] = []
    found: list[Credentials] = []
    for i, entry in enumerate(entries):
        where = f"accounts[{i}]"
        if not isinstance(entry, dict) or set(entry) != set(_MEMBERS):
            problems.append(Problem(0, 0, where, f"expected exactly {', '.join(_MEMBERS)}"))
            continue
        for member in _MEMBERS:
            if not _is_word(entry[member]):
                # The value may be a secret: it is not shown.
                message = f"expected 1..{_MAX_KEY_CHARS} printable ASCII characters without / and spaces"
                problems.append(Problem(0, 0, f"{where}.{member}", message))
                break
        else:
            credentials = Credentials(*(entry[member] for member in _MEMBERS))
            if any(known.access_key == credentials.access_key for known in found):
                problems.append(Problem(0, 0, f"{where}.access_key", "stands twice"))
            found.append(credentials)
    if problems:
        raise TopologyError(name, problems)
    return found


def _is_word(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _MAX_KEY_CHARS
        and all("!" <= char <= "~" and char != "/" for char in value)
    )


def _wrong(name: str, message: str) -> TopologyError:
    return TopologyError(name, [Problem(0, 0, "", message)])


def _load(raw: bytes) -> Any:
    """The document, every scalar a text: an access key of digits stays one. Nobody needs aliases here."""
    import yaml

    class Texts(yaml.BaseLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise yaml.composer.ComposerError(None, None, "aliases are not accepted here", mark)
            return super().compose_node(parent, index)

    return yaml.load(raw, Loader=Texts)  # noqa: S506 - a BaseLoader

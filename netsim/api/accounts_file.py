"""accounts.yaml: who may call a server, `accounts: [{id, access_key, secret_key}]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from netsim.errors import Problem, TopologyError

MAX_FILE_BYTES = 1 << 20
_MEMBERS = ("id", "access_key", "secret_key")
_MAX_KEY_CHARS = 128


class Credentials(NamedTuple):
    """An access key of an account, and its secret."""

    account: str
    access_key: str
    secret_key: str


def read_accounts(path: str | Path) -> list[Credentials]:
    """The accounts of a file, in order; an account may stand there with several keys.

    Raises:
        TopologyError: the file can't be read or says something else; with every problem.
    """
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
        document = _load(raw)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise TopologyError(name, [Problem(line, column, "", error.problem or "is not YAML")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise _wrong(name, f"is not YAML: {str(error).splitlines()[0][:100]}") from None
    return _accounts_of(name, document)


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

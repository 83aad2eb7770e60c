"""Settings: what the global options say, before or after the subcommand."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

FORMATS = ("table", "json", "csv")


@dataclass(slots=True)
class Settings:
    """The global options of this call.

    Attributes:
        file: the topology file, None = the only one here.
        format: of stdout, one of `FORMATS`.
        seed: overrides the file's.
        verbosity: -1 quiet, 0, 1 verbose.
        no_color: asked for on the command line.
        server: URL of a running server to work on instead of a file.
        account: whose eyes and hands: a tenant's; None is whoever owns the file, or the only one of the keys.
        access_key, secret_key: of the server.
        credentials: a file with keys.
        operator_token_file: a file with the operator's token.
        timeout_s: how long a server may take to answer.
    """

    file: str | None = None
    format: str = "table"
    seed: int | None = None
    verbosity: int = 0
    no_color: bool = False
    server: str | None = None
    account: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    credentials: str | None = None
    operator_token_file: str | None = None
    timeout_s: float = 30.0

    @property
    def is_json(self) -> bool:
        """Whether stdout is to be one JSON document."""
        return self.format == "json"

    @property
    def is_quiet(self) -> bool:
        """Whether messages and progress are unwanted."""
        return self.verbosity < 0

    @property
    def has_color(self) -> bool:
        """Whether stdout is a terminal that may be written to in colours (https://no-color.org)."""
        return not (self.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb") and (
            sys.stdout.isatty()
        )

    def note(self, message: str) -> None:
        """A message for people, on stderr; not under -q."""
        if not self.is_quiet:
            sys.stderr.write(f"netsim: {message}\n")

"""The entry point: runs a command and turns however it ends into an exit code and at most a line.

Exit codes: 0 yes · 1 the answer is no · 2 wrong usage · 3 bad input file · 4 refused by a rule ·
5 server or credentials · 6 the machine lacks something · 70 our bug. 130 after Ctrl-C and 141
when the reader of stdout went away, both without a word.

This module imports nothing but the standard library, and that inside the guard: a Ctrl-C while
the rest is being loaded ends quietly too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

EXIT_CAPABILITY = 6
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main(args: Sequence[str] | None = None) -> int:
    """Run `netsim ARGS` (by default those of this process) and return its exit code."""
    try:
        code = _run(sys.argv[1:] if args is None else list(args))
    except KeyboardInterrupt:
        code = _interrupted()
    return _flushed(code)


def _run(args: list[str]) -> int:
    from netsim.cli import streams

    streams.prepare()
    try:
        return _invoke(args)
    except BrokenPipeError:
        return EXIT_BROKEN_PIPE
    except MemoryError:
        _say("out of memory")
        return EXIT_CAPABILITY
    except Exception as error:  # noqa: BLE001 - whatever else comes up is our bug, and ends in one line
        return _bug(error)


def _invoke(args: list[str]) -> int:
    import click

    from netsim.cli.frame import usage_line
    from netsim.cli.root import root
    from netsim.errors import NetsimError, TopologyError

    try:
        with root.make_context("netsim", args) as context:
            code = root.invoke(context)
            return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        return _interrupted()
    except click.UsageError as error:
        _say(usage_line(error))
        return error.exit_code
    except TopologyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except NetsimError as error:
        _say(str(error))
        return error.exit_code


def _bug(error: Exception) -> int:
    """Say what went wrong in one line; the traceback is for those who ask."""
    if os.environ.get("NETSIM_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    _say(f"internal error: {type(error).__name__}: {error} (a bug of netsim; NETSIM_DEBUG=1 shows where)")
    return EXIT_BUG


def _say(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"netsim: {' '.join(message.split())}\n")


def _interrupted() -> int:
    """Ctrl-C: a second one must not disturb what is left to do."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return EXIT_INTERRUPTED


def _flushed(code: int) -> int:
    """Write out what is buffered; the interpreter would complain about a failure in its own words."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or EXIT_BROKEN_PIPE
    except OSError as error:
        if code == 0:
            _say(f"stdout: can't be written: {error.strerror}")
            code = EXIT_CAPABILITY
    except KeyboardInterrupt:
        code = _interrupted()
    else:
        return code
    # What could not be written stays in the buffer: the flush at exit must go nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code

"""Files made to hurt: one clear line, soon, in bounded memory, and never anything but a TopologyError."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netsim.errors import TopologyError
from netsim.topology_file import load_topology

HEAD = b"netsim: 1\nname: x\naccounts: [{id: a}]\n"
BOMB = b"\n".join([b"a: &a [x, x, x, x, x, x, x, x, x, x]"] + [
    b"%c: &%c [%s]" % (c, c, b", ".join([b"*%c" % (c - 1)] * 10)) for c in b"bcdefghijklmnop"
])  # fmt: skip
DEEP = 100_000

HOSTILE: dict[str, Callable[[], bytes]] = {
    "deep flow lists": lambda: b"[" * DEEP,
    "deep flow maps": lambda: b"{a: " * DEEP,
    "deep block lists": lambda: b"- " * DEEP,
    "deep complex keys": lambda: b"? " * DEEP,
    "deep indentation": lambda: b"\n".join(b" " * i + b"a:" for i in range(2_000)),
    "deep in a known key": lambda: HEAD + b"vpcs: " + b"[" * DEEP + b"]" * DEEP,
    "alias bomb": lambda: BOMB,
    "alias bomb in a known key": lambda: HEAD + BOMB.replace(b"a: &a", b"vpcs: &a", 1),
    "alias of itself": lambda: b"netsim: &a [*a]",
    "tag directives": lambda: b"".join(b"%%TAG !a%d! b\n" % i for i in range(300_000)) + b"--- a",
    "many documents": lambda: b"---\n" * 1_000_000,
    "binary": lambda: bytes(range(256)) * 10_000,
    "random bytes": lambda: os.urandom(100_000),
    "zeros": lambda: b"\0" * 2**20,
    "utf-32": lambda: "netsim: 1".encode("utf-32"),
    "utf-16 cut short": lambda: "netsim: 1".encode("utf-16")[:-1],
    "utf-16 without a mark": lambda: "netsim: 1".encode("utf-16-le"),
    "latin-1": lambda: "name: Gänse".encode("latin-1"),
    "long scalar": lambda: HEAD + b"seed: " + b"x" * 2**20,
    "long quoted scalar": lambda: HEAD + b'seed: "' + b"x" * 2**24 + b'"',
    "long key": lambda: HEAD + b'? "' + b"k" * 2**20 + b'"\n: 1',
    "open quote": lambda: HEAD + b'seed: "' + b"x" * 2**20,
    "huge integer": lambda: HEAD + b"seed: " + b"9" * 1_000_000,
    "huge exponent": lambda: b"netsim: 1e999999999",
    "not a number": lambda: b"netsim: .nan\nname: x",
    "tabs": lambda: b"netsim: 1\nvpcs:\n\t- a",
    "one hundred thousand duplicates": lambda: b"a: 1\n" * 100_000,
    "one hundred thousand unknown keys": lambda: b"".join(b"k%d: 1\n" % i for i in range(100_000)),
    "two hundred thousand wrong entries": lambda: HEAD + b"traffic:\n" + b"- {x: 1}\n" * 200_000,
    "many values": lambda: HEAD + b"vpcs: [" + b"a," * 31_000_000,
    "many items": lambda: HEAD + b"vpcs:\n" + b"- {}\n" * 12_000_000,
    "many lists": lambda: HEAD + b"vpcs:\n" + (b"- [" + b"a," * 99_999 + b"a]\n") * 100,
    "python object": lambda: b"!!python/object/apply:os.system [echo]",
    "a number": lambda: b"17",
    "a list": lambda: b"[1, 2]",
    "only a comment": lambda: b"# nothing\n",
    "empty": lambda: b"",
    "escape sequences in names": lambda: b'netsim: 1\n"\\e[2Jname": 1\nname: "\\u202e"\nvpcs: [{region: "\\e]0;x\\a"}]',
}


def refusal(path: Path) -> str:
    with pytest.raises(TopologyError) as caught:
        load_topology(path)
    message = str(caught.value)
    for line in message.split("\n"):
        assert line.startswith(str(path)) and line.isprintable() and len(line) < len(str(path)) + 400
    return message


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_two_seconds_of_processor_time(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.netsim.yaml"
    path.write_bytes(HOSTILE[name]())
    before = resource.getrusage(resource.RUSAGE_SELF)
    refusal(path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    # A file that uses up the budget of values costs as much to read as a good one of that size.
    accepted_s = 4 if name in ("many lists", "two hundred thousand wrong entries") else 2
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < accepted_s


def test_things_that_are_no_regular_files_are_named_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(tmp_path / "pipe").endswith(": is a pipe, expected a regular file")
    assert refusal(tmp_path).endswith(": is a directory, expected a regular file")
    assert refusal(Path("/dev/zero")) == "/dev/zero: is a device, expected a regular file"
    assert refusal(tmp_path / "dangling").endswith(": no such file")
    assert refusal(tmp_path / "missing").endswith(": no such file")
    assert refusal(tmp_path / "loop").endswith(": can't be opened: Too many levels of symbolic links")
    assert refusal(tmp_path / ("x" * 300)).endswith(": can't be opened: File name too long")


def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("netsim: 1")
    path.chmod(0)
    if os.geteuid() != 0:
        assert refusal(path).endswith(": can't be opened: Permission denied")
        return
    # Root may read everything, so somebody else has to try.
    tmp_path.chmod(0o755)
    code = f"""
import os, sys
from netsim.topology_file import load_topology
import netsim.topology_file.source
os.setuid(65534)
try:
    netsim.topology_file.source.read_source({str(path)!r})
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.startswith("TopologyError ") and "can't be opened: Permission denied" in done.stdout


def test_a_file_of_one_hundred_megabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    assert refusal(path).endswith(": is 104,857,600 bytes large, accepted up to 67,108,864")


MEMORY_SCRIPT = """
import resource, sys
from netsim.errors import TopologyError
from netsim.topology_file import read_topology
read_topology("netsim: 1\\nname: warm")
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
from netsim.topology_file import load_topology
try:
    load_topology(sys.argv[1])
except TopologyError as error:
    print(len(str(error).split("\\n")), str(error)[-120:])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["deep flow lists", "alias bomb", "alias bomb in a known key", "many values", "many items"]
)
def test_hostile_files_stay_inside_a_gigabyte_of_memory(name: str, tmp_path: Path) -> None:
    """64 MB of one-letter values would be gigabytes of objects; the budget ends the reading before."""
    path = tmp_path / "bad.yaml"
    path.write_bytes(HOSTILE[name]())
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_SCRIPT, str(path), str(2**30)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nested more than 32 deep" in done.stdout or "more than " in done.stdout

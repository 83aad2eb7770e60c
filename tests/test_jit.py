"""The one door to numba: the same source at two speeds, and a cache that knows its sources."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from netsim import jit
from tests.cli_process import ROOT

PROBE = """
from netsim import jit
from netsim.dataplane import latency
print(jit.compiled(latency.bit_length)(1000), jit.has_cache("bit_length"), jit.cache_dir())
"""


class Columns(NamedTuple):
    wide: Any
    narrow: Any


def in_process(package_parent: Path, **env: str) -> list[str]:
    """What the probe prints, run with exactly this environment."""
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(package_parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", PROBE]
    done = subprocess.run(command, env=base | env, cwd=package_parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def own_package(tmp_path: Path) -> Path:
    """A copy of the package that a test may edit; the folder it lies in."""
    shutil.copytree(ROOT / "netsim", tmp_path / "copy" / "netsim", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def key_of(package_parent: Path) -> str:
    code = "from netsim import jit; print(jit.sources_key())"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(package_parent)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=env, cwd=package_parent, capture_output=True, text=True, check=True).stdout


# ------------------------------------------------------------------------------------- plain kernels


def test_a_plain_view_shares_memory_and_gives_ints_that_never_wrap() -> None:
    columns = Columns(np.array([2**62], np.int64), np.zeros(2, np.int32))
    view = jit.plain_view(columns)
    view.narrow[1] = 7
    assert columns.narrow.tolist() == [0, 7]
    assert view.wide[0] * 4 == 2**64


@pytest.mark.parametrize(("column", "value"), [("wide", 2**63), ("wide", -(2**63) - 1), ("narrow", 2**31)])
def test_what_does_not_fit_its_column_raises_when_plain(column: str, value: int) -> None:
    """Compiled it would wrap: plain tests are where such an overflow shows."""
    view = jit.plain_view(Columns(np.zeros(1, np.int64), np.zeros(1, np.int32)))
    with pytest.raises(ValueError, match="memoryview: invalid value"):
        getattr(view, column)[0] = value


def test_an_index_out_of_range_raises_when_plain() -> None:
    view = jit.plain_view(Columns(np.zeros(1, np.int64), np.zeros(1, np.int32)))
    with pytest.raises(IndexError):
        view.wide[1]


def test_a_kernel_stays_the_plain_function() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    assert jit.kernel(add) is add
    assert jit.kernel(is_inline=False)(add) is add


def test_importing_the_data_plane_does_not_import_numba() -> None:
    code = "import sys, netsim.dataplane.engine; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# --------------------------------------------------------------------------------------------- cache


def test_the_key_changes_with_every_source_of_the_kernels_and_nothing_else(own_package: Path) -> None:
    before = key_of(own_package)
    assert key_of(own_package) == before == key_of(ROOT)
    package = own_package / "netsim"
    for name in ("jit/__init__.py", "jit/columns.py", "units.py", "dataplane/latency.py", "dataplane/hop.py"):
        path = package / name
        text = path.read_text()
        path.write_text(text + "# another\n")
        assert key_of(own_package) != before, name
        path.write_text(text)
    (package / "dataplane" / "fresh.py").write_text("")
    assert key_of(own_package) != before
    (package / "dataplane" / "fresh.py").unlink()
    (package / "clock.py").write_text((package / "clock.py").read_text() + "# another\n")
    assert key_of(own_package) == before


def test_a_kernel_is_compiled_once_and_found_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    bits, has_cache, folder = in_process(ROOT, NETSIM_CACHE_DIR=str(cache))
    assert (bits, has_cache) == ("10", "True")
    assert Path(folder).parent == cache and Path(folder).name.startswith("kernels-")
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")}
    assert kept
    assert in_process(ROOT, NETSIM_CACHE_DIR=str(cache))[0] == "10"
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")} == kept


def test_an_edited_kernel_is_compiled_anew(own_package: Path, tmp_path: Path) -> None:
    """Also when only what it calls has changed: numba alone would not notice."""
    cache = str(tmp_path / "cache")
    assert in_process(own_package, NETSIM_CACHE_DIR=cache)[0] == "10"
    path = own_package / "netsim" / "dataplane" / "latency.py"
    text = path.read_text()
    path.write_text(text.replace("    return bits\n", "    return bits + 100\n", 1))
    assert path.read_text() != text
    assert in_process(own_package, NETSIM_CACHE_DIR=cache)[0] == "110"


@pytest.mark.parametrize(
    ("env", "root"),
    [
        ({"NETSIM_CACHE_DIR": "{}/n", "XDG_CACHE_HOME": "{}/x", "HOME": "{}"}, "{}/n"),
        ({"XDG_CACHE_HOME": "{}/x", "HOME": "{}"}, "{}/x/netsim"),
        ({"HOME": "{}"}, "{}/.cache/netsim"),
    ],
)
def test_where_the_cache_is(env: dict[str, str], root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NETSIM_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert jit.cache_dir().parent == Path(root.format(tmp_path))


@pytest.mark.parametrize("home", [None, "/nonexistent/home"])
def test_without_a_home_the_cache_is_a_private_folder_of_the_user(
    home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NETSIM_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    root = tmp_path / f"netsim-{os.getuid()}"
    assert jit.cache_dir().parent == root
    assert jit._can_cache()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_cache_that_others_could_have_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What numba loads is code: in the temporary directory, which all share, others could have put it there."""
    for name in ("NETSIM_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert jit._can_cache()
    (jit.cache_dir() / "window.run_until-1.py311.1.nbc").write_text("")
    assert jit.has_cache()
    root = jit.cache_dir().parent
    root.chmod(0o777)
    assert not jit._can_cache() and not jit.has_cache()
    root.chmod(0o700)
    root.rename(tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    assert not jit._can_cache() and not jit.has_cache()


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    """A file stands where the folder should be (root may write anywhere, so no read-only folder would do)."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    bits, has_cache, _ = in_process(ROOT, NETSIM_CACHE_DIR=str(blocked))
    assert (bits, has_cache) == ("10", "False")

"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netsim.cli.files import check_writable, make_folder, write_file
from netsim.errors import UsageError


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.txt"
    write_file(target, "old")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_a_link_and_a_mode_a_mode(tmp_path: Path) -> None:
    target, link = tmp_path / "real.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    write_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_devices_are_written_to_not_replaced() -> None:
    write_file("/dev/null", "x")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is a directory"),
        ("missing/a.txt", "No such file"),
        ("file/a.txt", "Not a directory"),
        ("a\0b", "null byte"),
    ],
)
def test_what_can_not_be_written_is_one_line(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=reason):
        write_file(f"{tmp_path}/{name}", "x")
    with pytest.raises(UsageError, match=r"can't be written|null byte"):
        check_writable(f"{tmp_path}/{name}")


def test_a_long_name_is_no_reason_to_fail(tmp_path: Path) -> None:
    write_file(tmp_path / ("n" * 250), "x")
    assert (tmp_path / ("n" * 250)).read_text() == "x"


def test_folders_are_made_with_those_above(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="can't be made a folder"):
        make_folder(tmp_path / "file")

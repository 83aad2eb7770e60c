"""explain: every reason code has its sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from netsim.cli import explain
from netsim.cli.main import main
from netsim.dataplane.disposition import FATES
from netsim.traffic.expectation import REASONS
from tests.cli_process import ROOT


def test_all_codes(capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]) -> None:
    assert main(["explain"]) == 0
    golden(capsys.readouterr().out, "explain")
    assert main(["explain", "--json"]) == 0
    rows = {row["code"]: row for row in json.loads(capsys.readouterr().out)}
    assert {fate.disposition.symbol: fate.condition for fate in FATES}.items() <= {
        code: row["meaning"] for code, row in rows.items()
    }.items()
    assert set(REASONS) <= set(rows)


def test_all_that_proofs_find_has_its_sentence() -> None:
    from netsim.verify.finding import CODES

    rows = {str(row["code"]): str(row["meaning"]) for row in explain.code_rows()}
    assert set(CODES) <= set(rows)
    assert set(explain.FINDINGS) <= set(CODES)
    for code, text in explain.FINDINGS.items():
        assert text.removesuffix(" (ttl_expired).").rstrip(".") == CODES[code].meaning.rstrip(".")


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("no_route", "no_route (dropped, ICMP 3/0 goes back)"),
        ("Queue-Full", "queue_full (dropped, silently)"),
        ("delivered", "delivered (delivered)"),
        ("no_return_route", "no_return_route (finding)"),
    ],
)
def test_one_code(code: str, first: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == first
    assert lines[1].startswith("  ")
    assert lines[1].endswith(".")


@pytest.mark.slow
def test_it_needs_no_numpy() -> None:
    code = "import sys; from netsim.cli.main import main; main(['explain']); sys.exit('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
    )

"""`netsim check`: do a topology's expectations hold?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.explain import code_rows
from netsim.cli.files import check_writable, write_file
from netsim.cli.finding_text import FAIL_ON, as_rows, counts, finding_lines, is_failure, junit_cases, look, total
from netsim.cli.finding_text import junit as junit_text
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.main import EXIT_BUG
from netsim.cli.output import print_json, print_line, safe
from netsim.cli.progress import Progress
from netsim.cli.reach import network_of
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.probe.expectations import Verdict
    from netsim.topology_file import Topology


@subcommand("check", example="netsim check -t shop.netsim.yaml --junit out.xml")
@click.argument("file", metavar="[FILE]", required=False)
@FAIL_ON
@click.option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")
def command(settings: Settings, file: str | None, fail_on: str | None, junit: str | None) -> int:
    """Check the expectations of a topology file by sending packets, by proof, and by running its flows.

    Prints ok or FAIL for each, and for a failed one what happened instead and why; then what `lint` finds. Exits 1
    if an expectation fails (findings: see --fail-on), and 70 if sending and proof differ: then netsim is wrong, and
    both answers are printed.
    """
    lab = open_lab(settings, file)
    if junit is not None:
        check_writable(junit)
    with Progress(settings, f"check {lab.topology.name}") as progress:
        found = look(lab.topology, network_of(lab.topology))
        verdicts = lab.check(progress, settings.note)
    holds = all(verdict.holds for verdict in verdicts)
    if junit is not None:
        write_file(junit, _junit(lab.topology, verdicts, *junit_cases(lab.topology, found, fail_on)))
    if settings.is_json:
        rows = [_as_json(verdict, line) for verdict, line in zip(verdicts, _lines_of(lab.topology), strict=True)]
        summary = {"findings": as_rows(found), "summary": counts(found)}
        print_json({"topology": lab.topology.name, "holds": holds, "expectations": rows, **summary})
    else:
        for verdict, line in zip(verdicts, _lines_of(lab.topology), strict=True):
            for text in _texts(settings, verdict, line):
                print_line(text)
        print_line(_total(verdicts))
        if found:
            print_line()
            for finding, line in found:
                for text in finding_lines(settings, lab.topology, finding, line):
                    print_line(text)
            print_line(total(counts(found)))
    if n := sum(verdict.is_disputed for verdict in verdicts):
        sys.stderr.write(f"netsim: {n} of the answers differ between sending and proof (a bug of netsim, report it)\n")
        return EXIT_BUG
    return 0 if holds and not is_failure(found, fail_on) else 1


def _lines_of(topology: Topology) -> list[int]:
    return [place.line for place in topology.expect_places] or [0] * len(topology.expect)


def _texts(settings: Settings, verdict: Verdict, line: int) -> Iterator[str]:
    expected = safe(str(verdict.expectation))
    if verdict.is_disputed:
        yield f"{_paint(settings, 'BUG', 'magenta')}   {expected}"
        yield f"        sending   {safe(verdict.found)}"
        yield f"        proof     {safe(verdict.proven)}"
        return
    if verdict.holds:
        yield f"{_paint(settings, 'ok', 'green')}    {expected}"
        if settings.verbosity > 0:
            yield f"        found     {safe(verdict.found)}"
            yield from _share_lines(verdict)
        return
    yield f"{_paint(settings, 'FAIL', 'red')}  {expected}"
    yield f"        found     {safe(verdict.found)}"
    if meaning := _meaning(verdict.found):
        yield f"        because   {meaning}"
    yield from _share_lines(verdict)
    if line:
        yield f"        expected  in line {line} of the file"


def _share_lines(verdict: Verdict) -> Iterator[str]:
    """What a flow could get at most, beside what it got."""
    if verdict.share:
        yield f"        fair      {safe(verdict.share)}"


def _meaning(found: str) -> str:
    """The sentence of the reason code that the finding names, "" if it names none."""
    reason = found.rpartition(" because ")[2]
    return next((str(row["meaning"]) for row in code_rows() if row["code"] == reason), "")


def _paint(settings: Settings, text: str, color: str) -> str:
    return click.style(text, fg=color, bold=True) if settings.has_color else text


def _total(verdicts: list[Verdict]) -> str:
    n, failed = len(verdicts), sum(not verdict.holds for verdict in verdicts)
    if not n:
        return "the file has no expectations"
    return f"{n} expectation{'s' * (n != 1)}: {n - failed} ok, {failed} failed"


def _as_json(verdict: Verdict, line: int) -> dict[str, Any]:
    return {
        "expectation": str(verdict.expectation),
        "line": line or None,
        "about": "flow" if verdict.expectation.is_about_flow else "path",
        "holds": verdict.holds,
        "found": verdict.found,
        "proven": verdict.proven or None,
        "fair_share": verdict.share or None,
    }


def _junit(topology: Topology, verdicts: list[Verdict], found: list[str], n_found: int) -> str:
    """JUnit XML: a test case for each expectation, and one for each kind of finding."""
    from netsim.monitor.svg import element

    errors = sum(verdict.is_disputed for verdict in verdicts)
    failed = sum(not verdict.holds and not verdict.is_disputed for verdict in verdicts)
    cases = []
    for verdict in verdicts:
        opened = element("testcase", name=str(verdict.expectation), classname=topology.name).removesuffix("/>")
        if verdict.is_disputed:
            error = element("error", "a bug of netsim", message=f"sending: {verdict.found}, proof: {verdict.proven}")
            cases.append(f"  {opened}>{error}</testcase>")
        elif verdict.holds:
            cases.append(f"  {opened}/>")
        else:
            failure = element("failure", _meaning(verdict.found), message=f"found: {verdict.found}")
            cases.append(f"  {opened}>{failure}</testcase>")
    return junit_text(topology, cases + found, failed + n_found, errors)

"""`netsim lint`: what is wrong, useless or surprising in a network, found without sending anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from netsim.cli.files import check_writable, write_file
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology
from netsim.cli.output import print_json, print_line, safe
from netsim.cli.reach import network_of
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.topology_file import Topology
    from netsim.verify.finding import Finding

Found = tuple["Finding", int]
"""A finding and its line in the file."""

COLORS = {"error": "red", "warning": "yellow", "info": "blue"}


@subcommand("lint", example="netsim lint shop.netsim.yaml --fail-on error")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--fail-on", type=click.Choice(("error", "warning")), help="Exit 1 if there is one as bad, or worse.")
@click.option("--junit", metavar="FILE", help="Write the findings as JUnit XML, too.")
def command(settings: Settings, file: str | None, fail_on: str | None, junit: str | None) -> int:
    """Find what is wrong in a network: rules that discard or never win, loops, one-way pairs, and more.

    Each finding comes with its line in the file, a packet that shows it, and what to change. Exits 0, also with
    findings; --fail-on makes it 1.
    """
    from netsim.verify.finding import SEVERITIES
    from netsim.verify.findings import findings

    topology = open_topology(settings, file)
    if junit is not None:
        check_writable(junit)
    found = _placed(topology, list(findings(network_of(topology))))
    counts = Counter(finding.severity for finding, _ in found)
    summary = {severity: counts[severity] for severity in SEVERITIES}
    if junit is not None:
        write_file(junit, _junit(topology, found))
    if settings.is_json:
        rows = [finding.to_dict() | {"line": line or None} for finding, line in found]
        print_json({"topology": topology.name, "findings": rows, "summary": summary})
    else:
        for finding, line in found:
            for text in _texts(settings, topology, finding, line):
                print_line(text)
        print_line(_total(summary))
    worst = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    return 1 if any(summary[severity] for severity in worst) else 0


def _placed(topology: Topology, found: list[Finding]) -> list[Found]:
    """The findings with their lines, in the order of the file, the worst first."""
    from netsim.topology_file.places import Places
    from netsim.topology_file.source import read_source
    from netsim.verify.finding import SEVERITIES

    if not found or topology.path is None:
        return [(finding, 0) for finding in found]
    places = Places(read_source(topology.path), topology)
    vpc_ids = {vpc.name: vpc.id for vpc in topology.inventory.vpcs.values()}

    def line_of(finding: Finding) -> int:
        if finding.rule is not None:
            return places.rule(finding.rule)
        if finding.peer_conn is not None:
            return places.peer_conn(finding.peer_conn)
        return places.vpc(vpc_ids[finding.vpc]) if finding.vpc in vpc_ids else 0

    placed = [(finding, line_of(finding)) for finding in found]
    return sorted(placed, key=lambda each: (SEVERITIES.index(each[0].severity), each[1]))


def _texts(settings: Settings, topology: Topology, finding: Finding, line: int) -> Iterator[str]:
    severity = finding.severity
    shown = click.style(severity, fg=COLORS[severity], bold=True) if settings.has_color else severity
    assert topology.path is not None
    where = f"{safe(topology.path.name)}:{line}" if line else safe(topology.path.name)
    yield f"{where}  {shown}  {finding.code}  {safe(finding.text)}"
    if finding.witness is not None:
        yield f"    packet  {safe(str(finding.witness))}"
    for k, fix in enumerate(finding.fixes):
        yield f"    {'fix' if k == 0 else 'and':<6}  {safe(fix.text)}"
    if settings.verbosity > 0:
        from netsim.verify.finding import CODES

        yield f"    means   {CODES[finding.code].meaning}"


def _total(summary: dict[str, int]) -> str:
    if not any(summary.values()):
        return "nothing found"
    nouns = {"error": "error", "warning": "warning", "info": "remark"}
    return ", ".join(f"{n} {nouns[key]}{'s' * (n != 1)}" for key, n in summary.items())


def _junit(topology: Topology, found: list[Found]) -> str:
    """JUnit XML: a test case for each code, which fails with what was found; remarks fail nothing."""
    from netsim.monitor.svg import element
    from netsim.verify.finding import CODES

    by_code: dict[str, list[Found]] = {code: [] for code in CODES}
    for finding, line in found:
        by_code[finding.code].append((finding, line))
    n_failed = 0
    cases = []
    for code, findings in by_code.items():
        opened = element("testcase", name=code, classname=topology.name).removesuffix("/>")
        if not findings or CODES[code].severity == "info":
            cases.append(f"  {opened}/>")
            continue
        n_failed += 1
        texts = "\n".join(f"line {line}: {finding.text}" for finding, line in findings)
        cases.append(f"  {opened}>{element('failure', texts, message=CODES[code].meaning)}</testcase>")
    suite = element("testsuite", name=topology.name, tests=len(cases), failures=n_failed, errors=0, skipped=0)
    body = "".join(f"{case}\n" for case in cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{suite.removesuffix("/>")}>\n{body}</testsuite>\n'

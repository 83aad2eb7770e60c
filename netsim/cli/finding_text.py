"""What was found in a network, with its lines in the file, as text and as JUnit: printed by `lint` and `check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.output import safe
from netsim.cli.settings import Settings

if TYPE_CHECKING:
    from netsim.topology_file import Topology
    from netsim.verify.finding import Finding
    from netsim.verify.network import Network

Found = tuple["Finding", int]
"""A finding and its line in the file."""

COLORS = {"error": "red", "warning": "yellow", "info": "blue"}

FAIL_ON = click.option(
    "--fail-on", type=click.Choice(("error", "warning")), help="Exit 1 if something found is as bad, or worse."
)


def look(topology: Topology, network: Network) -> list[Found]:
    """All findings with their lines, in the order of the file, the worst first."""
    from netsim.topology_file.places import Places
    from netsim.topology_file.source import read_source
    from netsim.verify.finding import SEVERITIES
    from netsim.verify.findings import findings

    found = findings(network)
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


def finding_lines(settings: Settings, topology: Topology, finding: Finding, line: int) -> Iterator[str]:
    """One finding: where, what, a packet that shows it, and what to change."""
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


def counts(found: list[Found]) -> dict[str, int]:
    """How many there are of each severity, worst first."""
    from netsim.verify.finding import SEVERITIES

    return {severity: sum(finding.severity == severity for finding, _ in found) for severity in SEVERITIES}


def is_failure(found: list[Found], fail_on: str | None) -> bool:
    """Whether one of them is as bad as that, or worse."""
    from netsim.verify.finding import SEVERITIES

    worst = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    return any(finding.severity in worst for finding, _ in found)


def as_rows(found: list[Found]) -> list[dict[str, Any]]:
    """The findings as JSON."""
    return [finding.to_dict() | {"line": line or None} for finding, line in found]


def total(summary: dict[str, int]) -> str:
    """`1 error, 2 warnings, 0 remarks`."""
    if not any(summary.values()):
        return "nothing found"
    nouns = {"error": "error", "warning": "warning", "info": "remark"}
    return ", ".join(f"{n} {nouns[key]}{'s' * (n != 1)}" for key, n in summary.items())


def junit_cases(topology: Topology, found: list[Found], fail_on: str | None) -> tuple[list[str], int]:
    """A test case for each code, with what was found, and how many fail: those as bad as `fail_on`, or worse."""
    from netsim.monitor.svg import element
    from netsim.verify.finding import CODES

    by_code: dict[str, list[Found]] = {code: [] for code in CODES}
    for finding, line in found:
        by_code[finding.code].append((finding, line))
    n_failed = 0
    cases = []
    for code, listed in by_code.items():
        opened = element("testcase", name=code, classname=topology.name).removesuffix("/>")
        texts = "\n".join(f"line {line}: {finding.text}" for finding, line in listed)
        if not listed:
            cases.append(f"  {opened}/>")
        elif is_failure(listed, fail_on):
            n_failed += 1
            cases.append(f"  {opened}>{element('failure', texts, message=CODES[code].meaning)}</testcase>")
        else:
            cases.append(f"  {opened}>{element('system-out', texts)}</testcase>")
    return cases, n_failed


def junit(topology: Topology, cases: list[str], n_failed: int, n_errors: int = 0) -> str:
    """JUnit XML as CI systems read it: one suite with these cases."""
    from netsim.monitor.svg import element

    suite = element(
        "testsuite", name=topology.name, tests=len(cases), failures=n_failed, errors=n_errors, skipped=0
    )  # fmt: skip
    body = "".join(f"{case}\n" for case in cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{suite.removesuffix("/>")}>\n{body}</testsuite>\n'

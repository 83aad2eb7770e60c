"""`netsim run`: send a topology's traffic and report what it got."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.files import check_writable, make_folder, write_file
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_lab
from netsim.cli.output import print_json, print_line, print_text
from netsim.cli.progress import Progress
from netsim.cli.settings import Settings
from netsim.cli.values import DURATION, NAMED_FILE

if TYPE_CHECKING:
    from netsim.lab import Lab
    from netsim.run_result import RunResult


@subcommand("run", example="netsim run shop.netsim.yaml --out out/shop", formats=("table", "json", "csv"))
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--duration", type=DURATION, metavar="S", help="Emulated time (default: until the last flow ends).")
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    help="Write report.html, and what is in it as result.json, samples.csv, bandwidth.svg, topology.svg.",
)
@click.option(
    "--capture",
    "--pcap",
    "captures",
    type=NAMED_FILE,
    metavar="NAME=FILE",
    multiple=True,
    help="Record what passes an instance, a connection or all places (.pcap, .pcapng); may be repeated.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Threads a large run may use (default: one for each processor); figures are the same with any number.",
)
def command(
    settings: Settings,
    file: str | None,
    duration: float | None,
    folder: str | None,
    captures: tuple[tuple[str, str], ...],
    threads: int | None,
) -> None:
    """Run the traffic of a topology file and report flows, connections and drops.

    --json prints every figure and all samples, --format csv the samples.
    """
    lab = open_lab(settings, file)
    if threads is not None:
        lab.engine.threads = threads
    # Before the run: after ten minutes is a bad time to learn that a folder is read-only.
    out = None if folder is None else make_folder(folder)
    for name, path in captures:
        check_writable(path)
        lab.capture(name, path)
    with Progress(settings, f"run {lab.topology.name}") as progress:
        result = lab.run(duration, progress=progress, notice=settings.note)
    if captures:
        lab.write_captures()
    chart = "" if out is None else _write_files(out, lab, result)
    report(settings, lab, result)
    if out is not None:
        _write_page(out, lab, result, chart)
        settings.note(f"wrote {out}/report.html, result.json, samples.csv, bandwidth.svg, topology.svg")


def report(settings: Settings, lab: Lab, result: RunResult) -> None:
    """The result on stdout, in the format that was asked for."""
    if settings.is_json:
        print_json(result.to_dict())
    elif settings.format == "csv":
        from netsim.monitor.export import to_csv

        print_text(to_csv(lab.monitor.samples()))
    else:
        from netsim.cli.summary import summary_lines

        for line in summary_lines(result.to_dict(), lab.monitor):
            print_line(line)


def _write_files(out: Path, lab: Lab, result: RunResult) -> str:
    """All but the page; the chart, which that has too."""
    from netsim.cli.topology_svg import topology_svg
    from netsim.monitor.chart import bandwidth_chart
    from netsim.monitor.export import to_csv

    name = lab.topology.name
    chart = bandwidth_chart(lab.monitor, title=f"{name}: peer connection bandwidth")
    write_file(out / "result.json", json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    write_file(out / "samples.csv", to_csv(lab.monitor.samples()))
    write_file(out / "bandwidth.svg", chart)
    write_file(out / "topology.svg", topology_svg(lab.inventory, name))
    return chart


def _write_page(out: Path, lab: Lab, result: RunResult, chart: str) -> None:
    """The report. It sends the probes that the file's expectations ask for: nothing is read off the lab after."""
    from netsim.cli.report import report_html
    from netsim.cli.topology_svg import topology_svg

    picture = topology_svg(lab.inventory, lab.topology.name)
    verdicts = lab.verdicts(result)
    page = report_html(result.to_dict(), topology_svg=picture, bandwidth_svg=chart, verdicts=verdicts)
    write_file(out / "report.html", page)

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
@click.option("--out", "folder", metavar="DIR", help="Write result.json, samples.csv, bandwidth.svg, topology.svg.")
@click.option(
    "--capture",
    "--pcap",
    "captures",
    type=NAMED_FILE,
    metavar="NAME=FILE",
    multiple=True,
    help="Record what passes an instance, a connection or all places (.pcap, .pcapng); may be repeated.",
)
def command(
    settings: Settings,
    file: str | None,
    duration: float | None,
    folder: str | None,
    captures: tuple[tuple[str, str], ...],
) -> None:
    """Run the traffic of a topology file and report flows, connections and drops.

    --json prints every figure and all samples, --format csv the samples.
    """
    lab = open_lab(settings, file)
    # Before the run: after ten minutes is a bad time to learn that a folder is read-only.
    out = None if folder is None else make_folder(folder)
    for name, path in captures:
        check_writable(path)
        lab.capture(name, path)
    with Progress(settings, f"run {lab.topology.name}") as progress:
        result = lab.run(duration, progress=progress, notice=settings.note)
    if out is not None:
        _write_folder(out, lab, result)
        settings.note(f"wrote {out}/result.json, samples.csv, bandwidth.svg, topology.svg")
    if captures:
        lab.write_captures()
    report(settings, lab, result)


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


def _write_folder(out: Path, lab: Lab, result: RunResult) -> None:
    from netsim.cli.topology_svg import topology_svg
    from netsim.monitor.chart import bandwidth_chart
    from netsim.monitor.export import to_csv

    name = lab.topology.name
    write_file(out / "result.json", json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    write_file(out / "samples.csv", to_csv(lab.monitor.samples()))
    write_file(out / "bandwidth.svg", bandwidth_chart(lab.monitor, title=f"{name}: peer connection bandwidth"))
    write_file(out / "topology.svg", topology_svg(lab.inventory, name))

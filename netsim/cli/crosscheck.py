"""`netsim crosscheck`: engine, verifier and the real kernel, side by side."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.crosscheck_text import (
    caps_as_json,
    check_as_json,
    print_caps,
    print_check,
    print_tables,
    tables_as_json,
)
from netsim.cli.frame import subcommand
from netsim.cli.loading import open_topology
from netsim.cli.output import print_json
from netsim.cli.progress import Progress
from netsim.cli.settings import Settings
from netsim.errors import CapabilityError

if TYPE_CHECKING:
    from netsim.kernel.cap_check import CapResult
    from netsim.kernel.crosscheck import CrossCheck
    from netsim.kernel.route_check import RouteCheck
    from netsim.topology_file import Topology

DEFAULT_NETWORKS, DEFAULT_TABLES, LOOKUPS = 100, 2000, 200
SOME = click.IntRange(1, 1_000_000)


@subcommand("crosscheck", example="netsim crosscheck --random 10 --seed 7")
@click.argument("file", required=False)
@click.option(
    "--random",
    "n_random",
    type=SOME,
    is_flag=False,
    flag_value=DEFAULT_NETWORKS,
    metavar="N",
    help=f"N random networks, made from --seed and the numbers after it ({DEFAULT_NETWORKS} if N is left out).",
)
@click.option(
    "--tables",
    "n_tables",
    type=SOME,
    is_flag=False,
    flag_value=DEFAULT_TABLES,
    metavar="N",
    help=f"N random route tables, {LOOKUPS} lookups each ({DEFAULT_TABLES} if N is left out).",
)
@click.option(
    "--pairs",
    "most_pairs",
    type=SOME,
    metavar="N",
    help="Of FILE: at most N pairs, chosen by --seed (default: 20,000).",
)
@click.option(
    "--caps", "has_caps", is_flag=True, help="What UDP and TCP get through FILE's caps at 0.5, 1 and 1.6 times."
)
@click.option(
    "--seconds", type=click.FloatRange(0.5, 60), metavar="S", default=3.0, show_default=True, help="Of each --caps run."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write random networks that differ there.",
)
def command(
    settings: Settings,
    file: str | None,
    n_random: int | None,
    n_tables: int | None,
    most_pairs: int | None,
    has_caps: bool,
    seconds: float,
    out: Path | None,
) -> int:
    """Send the same packets through the emulator and through Linux namespaces, and compare with the proofs.

    From every instance to every address: who gets a packet and with which TTL, what comes back, from whom, hop by
    hop. Exits 1 if any two sides differ. Builds FILE's network by itself, and takes it away again. Needs root.
    """
    from netsim.kernel import capability

    wants_file = file is not None or settings.file is not None or has_caps or not (n_random or n_tables)
    if out is not None and not n_random:
        raise click.UsageError("--out is for --random: which networks would be written?")
    topology = open_topology(settings, file) if wants_file else None
    capability.require()
    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, _stop)
    document: dict[str, object] = {}
    agrees = True
    if topology is not None:
        checked = _on_file(settings, topology, most_pairs)
        agrees = not checked.differences
        document["topology"] = check_as_json(checked)
        if not settings.is_json:
            print_check(checked, topology.name)
    if topology is not None and has_caps:
        results = _on_caps(settings, topology, seconds)
        agrees = agrees and all(each.agrees for each in results)
        document["caps"] = caps_as_json(results)
        if not settings.is_json:
            print_caps(results)
    if n_random:
        checked = _on_random(settings, n_random, out)
        agrees = agrees and not checked.differences
        document["random"] = check_as_json(checked)
        if not settings.is_json:
            print_check(
                checked, f"{n_random} random network{'' if n_random == 1 else 's'} from seed {settings.seed or 0}"
            )
    if n_tables:
        tables = _on_tables(settings, n_tables)
        agrees = agrees and not tables.differences
        document["tables"] = tables_as_json(tables)
        if not settings.is_json:
            print_tables(tables)
    if settings.is_json:
        print_json({"agrees": agrees, **document})
    return 0 if agrees else 1


def _stop(number: int, frame: object) -> None:
    """Ends it as Ctrl-C does: what was made goes away again."""
    del frame
    sys.exit(128 + number)


def _on_file(settings: Settings, topology: Topology, most_pairs: int | None) -> CrossCheck:
    from netsim.kernel.crosscheck import MOST_PAIRS, check_topology

    with Progress(settings, "packets") as progress:
        return check_topology(topology, most_pairs=most_pairs or MOST_PAIRS, progress=progress)


def _on_caps(settings: Settings, topology: Topology, seconds: float) -> list[CapResult]:
    from netsim.kernel.cap_check import check_caps

    with Progress(settings, "caps") as progress:
        return check_caps(topology.inventory, seconds, progress=progress)


def _on_random(settings: Settings, n: int, out: Path | None) -> CrossCheck:
    from netsim.kernel.crosscheck import CrossCheck, check_random

    total = CrossCheck()
    with Progress(settings, "networks") as progress:
        for topology, checked in check_random(n, settings.seed or 0, progress=progress):
            total += checked
            if checked.differences and out is not None:
                settings.note(f"written: {_write(topology, out)}")
    return total


def _write(topology: Topology, out: Path) -> Path:
    from netsim.topology_file.dump import dump_topology

    path = out / f"{topology.name}.netsim.yaml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_topology(topology), encoding="utf-8")
    except OSError as error:
        raise CapabilityError(f"{path}: can't be written: {error.strerror}") from None
    return path


def _on_tables(settings: Settings, n: int) -> RouteCheck:
    from netsim.kernel.route_check import check_route_tables

    with Progress(settings, "tables") as progress:
        return check_route_tables(n, LOOKUPS, settings.seed or 0, progress)

"""All pairs for people: a matrix by VPC or subnet, and what the reasons are.

ok      every pair of instances is reachable       no      none is
2/6     so many of so many are                     -       there is no pair
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.cli.output import print_json, print_line, safe, table
from netsim.cli.settings import Settings
from netsim.dataplane.disposition import Disposition

if TYPE_CHECKING:
    from netsim.controlplane.inventory import Inventory
    from netsim.verify.network import Network
    from netsim.verify.pairs import PairTable

MOST_COLUMNS = 20
"""A wider matrix is read by nobody: then the rows are listed that are not all reachable."""

MOST_ROWS = 60
MOST_GROUPS = 10
MOST_NAMES = 4

Counts = dict[str, int]


def print_all_pairs(settings: Settings, network: Network, by: str) -> int:
    """Print every ordered pair of instances; the exit code: 0 if all are reachable, else 1."""
    from netsim.verify.pairs import all_pairs

    pairs = all_pairs(network)
    counts = pairs.counts()
    is_all = counts["reachable"] == len(pairs)
    if settings.is_json:
        print_json(pairs.to_dict())
        return 0 if is_all else 1
    groups = {_name(network.inventory, subnet.id, by) for subnet in network.inventory.subnets.values()}
    if len(groups) <= MOST_COLUMNS:
        print_line(_matrix(*_cells(pairs, by)))
    elif not is_all:
        print_line(_list(pairs, by))
    n = len(pairs)
    print_line(
        f"{n:,} pair{'s' * (n != 1)}: {counts['reachable']:,} reachable, {counts['one_way']:,} one way, "
        f"{counts['not_reachable']:,} not reachable"
    )
    for reason, n_pairs in pairs.reasons().items():
        print_line(f"  {n_pairs:>8,}  {reason}")
    if not is_all:
        _print_groups(pairs)
    return 0 if is_all else 1


def _print_groups(pairs: PairTable) -> None:
    """Instances that nothing tells apart, where there are fewer such groups than instances."""
    groups = pairs.groups()
    if not len(groups) < len(pairs.instance_ids):
        return
    print_line(f"{len(groups):,} groups behave alike:")
    for group in groups[:MOST_GROUPS]:
        names = [safe(pairs.network.instance_name(i)) for i in group[:MOST_NAMES]]
        more = len(group) - len(names)
        print_line(f"  {len(group):>8,}  {', '.join(names)}{f' and {more:,} more' if more else ''}")
    if len(groups) > MOST_GROUPS:
        print_line(f"  … {len(groups) - MOST_GROUPS:,} more groups; --json has all")


def _name(inventory: Inventory, subnet_id: str, by: str) -> str:
    subnet = inventory.subnets[subnet_id]
    vpc = inventory.vpcs[subnet.vpc_id].name
    return f"{vpc}/{subnet.name}" if by == "subnet" else vpc


def _cells(pairs: PairTable, by: str) -> tuple[dict[str, str], dict[tuple[str, str], Counts]]:
    """The names of rows and columns by id, in the order of the file, and the counts of the cells."""
    inventory = pairs.network.inventory
    cells = pairs.by_subnet() if by == "subnet" else pairs.by_vpc()
    has_instances = {key for pair in cells for key in pair}
    subnets = inventory.subnets.values()
    ids = {(subnet.id if by == "subnet" else subnet.vpc_id): subnet.id for subnet in subnets}
    names = {key: safe(_name(inventory, subnet_id, by)) for key, subnet_id in ids.items()}
    return {key: name for key, name in names.items() if key in has_instances}, cells


def _matrix(names: dict[str, str], cells: dict[tuple[str, str], Counts]) -> str:
    rows = [[names[a], *(_cell(cells.get((a, b))) for b in names)] for a in names]
    # As rows: a header of its own would turn names to capitals.
    text = table([["from \\ to", *names.values()], *rows], [""] * (len(names) + 1))
    return text.partition("\n")[2]


def _list(pairs: PairTable, by: str) -> str:
    """The rows of a wide matrix that are not all reachable, each in three figures."""
    inventory = pairs.network.inventory
    arrives = pairs.end == int(Disposition.DELIVERED)
    both, there = pairs.is_reachable.sum(axis=1) - 1, arrives.sum(axis=1) - 1
    sums: dict[str, list[int]] = {}
    for k, instance_id in enumerate(pairs.instance_ids):
        instance = inventory.instances[instance_id]
        row = sums.setdefault(_name(inventory, instance.subnet_id, by), [0, 0, 0])
        n_both, n_there = int(both[k]), int(there[k])
        for column, n in enumerate((n_both, n_there - n_both, len(pairs.instance_ids) - 1 - n_there)):
            row[column] += n
    wrong = [(safe(name), *row) for name, row in sums.items() if row[1] or row[2]]
    text = table(wrong[:MOST_ROWS], ("from", "reachable", "one way", "not reachable"))
    more = len(wrong) - MOST_ROWS
    return text if more <= 0 else f"{text}\n… {more:,} more rows; --json has all"


def _cell(counts: Counts | None) -> str:
    if counts is None:
        return "-"
    n = sum(counts.values())
    return {n: "ok", 0: "no"}.get(counts["reachable"], f"{counts['reachable']}/{n}")

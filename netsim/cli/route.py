"""`netsim route`: rules of route tables, asked about and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from netsim.cli.file_change import DRY_RUN, YES, change
from netsim.cli.frame import group, subcommand
from netsim.cli.route_get import get
from netsim.cli.settings import Settings
from netsim.errors import NotFoundError

if TYPE_CHECKING:
    from netsim.controlplane.edit import Edit
    from netsim.controlplane.inventory import Inventory
    from netsim.controlplane.route_table import RouteRule

ANY_SOURCE = "0.0.0.0/0"


def _names_rule(body: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which rule: its id, or its VPC, source and destination."""
    for option in (
        click.option("--destination", metavar="PREFIX", help="Where to."),
        click.option("--source", metavar="PREFIX", default=ANY_SOURCE, show_default=True, help="Where from."),
        click.option("--vpc", metavar="VPC", help="Whose route table."),
        click.argument("rule", metavar="[RULE]", required=False),
    ):
        body = option(body)
    return body


@subcommand("create", example="netsim route create --vpc data --destination 10.9.0.0/16 --next-hop int-2")
@click.option("--vpc", metavar="VPC", required=True, help="Whose route table.")
@click.option("--source", metavar="PREFIX", default=ANY_SOURCE, show_default=True, help="Where packets come from.")
@click.option("--destination", metavar="PREFIX", required=True, help="Where they go to.")
@click.option("--next-hop", metavar="HOP", required=True, help="An interface of the VPC, gateway:NAME or blackhole.")
@click.option("--description", metavar="TEXT", default="", help="Kept with the rule.")
@DRY_RUN
def create(
    settings: Settings, vpc: str, source: str, destination: str, next_hop: str, description: str, dry_run: bool
) -> int:
    """Add a rule to a VPC's route table, in the topology file."""

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import CreateRoute

        return [CreateRoute(inventory.vpc(vpc).id, source, destination, next_hop, description)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("update", example="netsim route update --vpc data --destination 10.9.0.0/16 --next-hop int-2")
@_names_rule
@click.option("--next-hop", metavar="HOP", required=True, help="An interface of the VPC, gateway:NAME or blackhole.")
@DRY_RUN
def update(
    settings: Settings, rule: str | None, vpc: str | None, source: str, destination: str | None, next_hop: str,
    dry_run: bool,
) -> int:  # fmt: skip
    """Change the next hop of a rule, in the topology file; RULE is its id, or it is named by its prefixes."""
    _check_named(rule, vpc, destination)

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import UpdateRoute

        return [UpdateRoute(rule_of(inventory, rule, vpc, source, destination).id, next_hop=next_hop)]

    return change(settings, edits, is_dry=dry_run)


@subcommand("delete", example="netsim route delete --vpc data --destination 10.9.0.0/16 --dry-run")
@_names_rule
@YES
@DRY_RUN
def delete(
    settings: Settings,
    rule: str | None,
    vpc: str | None,
    source: str,
    destination: str | None,
    yes: bool,
    dry_run: bool,
) -> int:
    """Take a rule out of the topology file; RULE is its id, or it is named by its prefixes."""
    _check_named(rule, vpc, destination)

    def edits(inventory: Inventory) -> list[Edit[Any]]:
        from netsim.controlplane.edit import DeleteRoute

        return [DeleteRoute(rule_of(inventory, rule, vpc, source, destination).id)]

    named = rule or f"of {vpc} from {source} to {destination}"
    return change(settings, edits, is_dry=dry_run, is_sure=yes, asks=f"Delete the rule {named}?")


def _check_named(rule: str | None, vpc: str | None, destination: str | None) -> None:
    if (rule is None) == (vpc is None) or (vpc is None) != (destination is None):
        raise click.UsageError("which rule? Expected its id, or --vpc and --destination (and --source)")


def rule_of(inventory: Inventory, rule: str | None, vpc: str | None, source: str, destination: str | None) -> RouteRule:
    """The rule that is meant: by its id, or by its VPC and prefixes.

    Raises:
        NotFoundError: there is none; says which there are for that destination.
        InvalidError: not a prefix.
    """
    from netsim.prefix import parse_prefix

    if rule is not None:
        return inventory.rule(rule)
    pair = parse_prefix(source), parse_prefix(destination or "")
    owner = inventory.vpc(vpc or "")
    rules = inventory.rules_of(owner.id)
    found = next((each for each in rules if (each.source, each.destination) == pair), None)
    if found is None:
        others = [str(each.source) for each in rules if each.destination == pair[1]]
        there = f"; there is one from {', '.join(others[:4])}" if others else ""
        raise NotFoundError(f"vpc {owner.name}: no rule from {pair[0]} to {pair[1]}{there}")
    return found


command = group("route", text="Ask and change route tables.", commands=[get, create, update, delete])

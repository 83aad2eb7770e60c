"""`netsim route`: rules of route tables, of a topology file or a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from netsim.cli.control import DRY_RUN, LIST_FORMATS, OF_VPC, YES, print_list, where
from netsim.cli.frame import group, subcommand
from netsim.cli.route_get import get
from netsim.cli.settings import Settings
from netsim.cli.target import Target, change, change_in, open_target
from netsim.errors import NotFoundError

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


@subcommand(
    "create", example="netsim route create --vpc data --destination 10.9.0.0/16 --next-hop int-2", takes_server=True
)
@click.option("--vpc", metavar="VPC", required=True, help="Whose route table.")
@click.option("--source", metavar="PREFIX", default=ANY_SOURCE, show_default=True, help="Where packets come from.")
@click.option("--destination", metavar="PREFIX", required=True, help="Where they go to.")
@click.option("--next-hop", metavar="HOP", required=True, help="An interface of the VPC, gateway:NAME or blackhole.")
@click.option("--description", metavar="TEXT", default="", help="Kept with the rule.")
@DRY_RUN
def create(
    settings: Settings, vpc: str, source: str, destination: str, next_hop: str, description: str, dry_run: bool
) -> int:
    """Add a rule to a VPC's route table."""
    from netsim.controlplane.edit import CreateRoute

    return change(settings, [CreateRoute(vpc, source, destination, next_hop, description)], is_dry=dry_run)


@subcommand("list", example="netsim route list --vpc data", formats=LIST_FORMATS, takes_server=True)
@OF_VPC
@click.option("--destination", metavar="PREFIX", help="Only to there.")
def list_(settings: Settings, vpc: str | None, destination: str | None) -> None:
    """List rules, the system's own included."""
    found = open_target(settings).rows("routes", vpc)
    print_list(settings, found._replace(rows=where(found.rows, destination=destination)), (*found.columns, "id"))


@subcommand(
    "update", example="netsim route update --vpc data --destination 10.9.0.0/16 --next-hop int-2", takes_server=True
)
@_names_rule
@click.option("--next-hop", metavar="HOP", required=True, help="An interface of the VPC, gateway:NAME or blackhole.")
@DRY_RUN
def update(
    settings: Settings, rule: str | None, vpc: str | None, source: str, destination: str | None, next_hop: str,
    dry_run: bool,
) -> int:  # fmt: skip
    """Change the next hop of a rule; RULE is its id, or it is named by its prefixes."""
    from netsim.controlplane.edit import UpdateRoute

    _check_named(rule, vpc, destination)
    target = open_target(settings)
    rule_id = _rule_id(target, rule, vpc, source, destination)
    return change_in(settings, target, [UpdateRoute(rule_id, next_hop=next_hop)], is_dry=dry_run)


@subcommand("delete", example="netsim route delete --vpc data --destination 10.9.0.0/16 --dry-run", takes_server=True)
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
    """Delete a rule; RULE is its id, or it is named by its prefixes."""
    from netsim.controlplane.edit import DeleteRoute

    _check_named(rule, vpc, destination)
    target = open_target(settings)
    edits = [DeleteRoute(_rule_id(target, rule, vpc, source, destination))]
    named = rule or f"of {vpc} from {source} to {destination}"
    return change_in(settings, target, edits, is_dry=dry_run, is_sure=yes, asks=f"Delete the rule {named}?")


def _check_named(rule: str | None, vpc: str | None, destination: str | None) -> None:
    if (rule is None) == (vpc is None) or (vpc is None) != (destination is None):
        raise click.UsageError("which rule? Expected its id, or --vpc and --destination (and --source)")


def _rule_id(target: Target, rule: str | None, vpc: str | None, source: str, destination: str | None) -> str:
    """The rule that is meant: by its id, or by its VPC and prefixes.

    Raises:
        NotFoundError: there is none; says which there are for that destination.
        InvalidError: not a prefix.
    """
    from netsim.prefix import parse_prefix

    if rule is not None:
        return rule
    wanted = str(parse_prefix(source)), str(parse_prefix(destination or ""))
    rules = where(target.rows("routes", vpc).rows, kind="custom", destination=wanted[1])
    found = where(rules, source=wanted[0])
    if not found:
        others = ", ".join(row["source"] for row in rules[:4])
        there = f"; there is one from {others}" if others else ""
        raise NotFoundError(f"vpc {vpc}: no rule from {wanted[0]} to {wanted[1]}{there}")
    return str(found[0]["id"])


command = group(
    "route", text="Rules of route tables.", commands=[get, create, list_, update, delete], takes_server=True
)

"""`netsim clock`: the clocks of a server, for its operator.

The control clock drives deadlines, packet time moves packets; see docs/monitoring.md.
"""

from __future__ import annotations

from typing import Any

import click

from netsim.cli.frame import group, subcommand
from netsim.cli.operator import ask, open_server
from netsim.cli.output import print_json, print_line
from netsim.cli.settings import Settings
from netsim.cli.values import DURATION

_LACK = "running clocks"


@subcommand("show", example="netsim clock show --server http://127.0.0.1:8410", takes_server=True)
def show(settings: Settings) -> None:
    """Show the control clock, packet time, and how fast they run."""
    _print(settings, ask(open_server(settings, _LACK), "GET", "clock"))


@subcommand("advance", example="netsim clock advance 7d --server http://127.0.0.1:8410", takes_server=True)
@click.argument("duration", metavar="TIME", type=DURATION)
def advance(settings: Settings, duration: float) -> None:
    """Let control time pass at once, like 90s, 12h or 7d: deadlines in it are met; packets pause."""
    _move(settings, {"advanceS": duration})


@subcommand("step", example="netsim clock step 10s --server http://127.0.0.1:8410", takes_server=True)
@click.argument("duration", metavar="TIME", type=DURATION)
def step(settings: Settings, duration: float) -> None:
    """Move packets ahead by this at once, up to 1h."""
    _move(settings, {"stepS": duration})


@subcommand("set", example="netsim clock set --speed 10 --server http://127.0.0.1:8410", takes_server=True)
@click.option("--speed", type=float, metavar="X", required=True, help="Packet time per wall time; 0 stands still.")
def set_(settings: Settings, speed: float) -> None:
    """Set how fast time runs."""
    _move(settings, {"speed": speed})


@subcommand("pause", example="netsim clock pause --server http://127.0.0.1:8410", takes_server=True)
def pause(settings: Settings) -> None:
    """Let time stand still: packets stay where they are until `resume` or `step`."""
    _move(settings, {"speed": 0})


@subcommand("resume", example="netsim clock resume --server http://127.0.0.1:8410", takes_server=True)
def resume(settings: Settings) -> None:
    """Let time run as the wall's does."""
    _move(settings, {"speed": 1})


def _move(settings: Settings, body: dict[str, float]) -> None:
    _print(settings, ask(open_server(settings, _LACK), "POST", "clock", body))


def _print(settings: Settings, answer: dict[str, Any]) -> None:
    clock = answer["clock"]
    if settings.is_json:
        print_json(clock)
        return
    speed, lag_s = clock["speed"], clock["lag_s"]
    pace = "paused" if speed == 0 else f"speed {speed:g}" + (f", {lag_s:.3f} s behind" if lag_s >= 0.1 else "")
    print_line(f"control {clock['control_time']}, packets at {clock['packet_time_s']:.3f} s, {pace}")


command = group(
    "clock", text="Clocks of a server.", commands=[show, advance, step, set_, pause, resume], takes_server=True
)

"""`netsim ping` on a running server: the echo requests go among all its other traffic, by the wall clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from netsim.cli.output import print_json, print_line, print_now, safe
from netsim.cli.ping import HEADERS_BYTES, summary
from netsim.cli.server_access import tenant_client
from netsim.cli.settings import Settings
from netsim.cli.target import ServerTarget, call
from netsim.errors import InvalidError

if TYPE_CHECKING:
    from netsim.api.client import Client

PATH = "/netsim/v1/ping"
POLL_S = 0.1
LEAST_INTERVAL_S = 0.001


def ping_live(
    settings: Settings,
    url: str,
    source: str,
    target: str,
    count: int,
    interval_s: float,
    size_bytes: int,
    timeout_s: float,
) -> int:
    """Ping through a server, and print what came of it; the exit code.

    A server whose clock stands still answers nothing: then it ends when the time is over all the same.

    Raises:
        RefusedError: there is no such instance.
        ServerError: the server does not answer, or not us.
    """
    client = tenant_client(settings, url)
    server = ServerTarget(settings, url, client)
    (sender,) = server.row("instances", source).rows
    dst = _address(server, target)
    if not settings.is_json:
        print_now(f"PING {safe(target)} ({dst}) {size_bytes - HEADERS_BYTES}({size_bytes}) bytes of data.")
    interval_s = max(interval_s, LEAST_INTERVAL_S)
    body = {"from": sender["id"], "to": dst, "count": count, "intervalS": interval_s, "packetBytes": size_bytes}
    ping_id = call(client, "POST", PATH, body=body)["pingId"]
    try:
        found = _result(client, ping_id, count, (count - 1) * interval_s + timeout_s)
    finally:
        call(client, "DELETE", f"{PATH}/{ping_id}")
    sent, received = found["transmitted"], found["received"]
    rtt_ms = found["rtt_ms"]
    if settings.is_json:
        loss_ratio = (sent - received) / sent if sent else None
        head = {"from": source, "to": target, "src": sender["ip"], "dst": dst, "size_bytes": size_bytes}
        print_json(head | {"sent": sent, "received": received, "loss_ratio": loss_ratio, "rtt_ms": rtt_ms})
    else:
        for line in summary(target, sent, received, found["errors"], round(interval_s * 1000)):
            print_line(line)
        if received:
            figures = "/".join(f"{rtt_ms[name]:.3f}" for name in ("min", "mean", "max"))
            print_line(f"rtt min/avg/max = {figures} ms")
    return 0 if received else 1


def _result(client: Client, ping_id: str, count: int, most_s: float) -> dict[str, Any]:
    """The figures when all is answered, or the time is over."""
    ends_at = time.monotonic() + most_s
    while True:
        found = call(client, "GET", f"{PATH}/{ping_id}")
        answered = found["received"] + found["errors"]
        left_s = ends_at - time.monotonic()
        if (found["transmitted"] >= count and answered >= count) or left_s <= 0:
            return found
        time.sleep(min(POLL_S, left_s))


def _address(server: ServerTarget, target: str) -> str:
    """An address as it is; else that of an instance of the account."""
    from netsim.prefix import format_addr, parse_addr

    try:
        return format_addr(parse_addr(target))
    except InvalidError:
        (receiver,) = server.row("instances", target).rows
        return str(receiver["ip"])

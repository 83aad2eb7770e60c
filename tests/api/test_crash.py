"""Eight writers, and a server that is killed under them, over and over: what was answered is there, and all of it.

Each writer knows what it was told, and the one request that was under way. After the next start its resources
are what it was told, give or take that request; sent again with its client token, it is done once.
"""

from __future__ import annotations

import itertools
import os
import random  # noqa: TID251 - seeded, to choose what a writer does
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from netsim.api.client import Client, ServerError
from netsim.errors import RefusedError
from netsim.store.check import check_database
from tests.cli_process import ROOT

IS_LONG = os.environ.get("NETSIM_LONG") == "1"
CYCLES = 300 if IS_LONG else 30
ACCOUNTS = ("anna", "ben", "cleo", "dora")
WRITERS = 8
VPCS_PER_REGION = CONNECTIONS_PER_ACCOUNT = 10


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process on the folder's database and its URL."""
    command = [sys.executable, "-m", "netsim", "serve", "--quiet", "--port", "0",
               "--db", str(folder / "cloud.db"), "--accounts", str(folder / "accounts.yaml")]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            for line in process.stdout:
                if match := re.match(r"serving on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail(f"it did not start again: {process.stderr.read()}")
            yield process, match[1]
        finally:
            process.kill()


class Writer:
    """One client: makes and deletes VPCs, connections and subnets of its own, one request at a time."""

    def __init__(self, number: int) -> None:
        self.number, self.account = number, ACCOUNTS[number % len(ACCOUNTS)]
        self.random = random.Random(number)
        self.names = itertools.count()
        self.known: dict[str, str] = {}  # name of what is there, as far as it was told -> id
        self.open: tuple[str, str, dict[str, str], dict[str, Any] | None] | None = None
        self.acknowledged = 0
        self.token = 0

    def client(self, url: str) -> Client:
        return Client(url, f"ak-{self.account}", f"sk-{self.account}", region="bj")

    def run(self, url: str) -> None:
        """Until the server is gone."""
        client = self.client(url)
        while True:
            if self.open is None:
                self.open = self._next()
            try:
                self._send(client)
            except ServerError:
                return

    def finish(self, url: str) -> None:
        """Send again what was under way: with its token it does what it would have done, once."""
        if self.open is not None:
            self._send(self.client(url))

    def _send(self, client: Client) -> None:
        assert self.open is not None
        method, path, query, body = self.open
        try:
            answer = client.call(method, path, query, body)
        except RefusedError as refused:
            # At the quota, or a pair that is connected already, or a VPC that still is.
            if not re.search(r"LimitExceeded|OperationDenied|ResourceNeedRelease", str(refused)):
                raise
        else:
            if method == "POST":
                assert body is not None
                (self.known[body.get("name") or body["description"]],) = answer.values()
            else:
                gone = path.rpartition("/")[2]
                self.known = {name: found for name, found in self.known.items() if found != gone}
            self.acknowledged += 1
        self.open = None

    def _next(self) -> tuple[str, str, dict[str, str], dict[str, Any] | None]:
        self.token += 1
        query = {"clientToken": f"w{self.number}-{self.token}"}
        name = f"w{self.number}-{next(self.names)}"
        vpcs = [found for found in self.known.values() if found.startswith("vpc-")]
        conns = [found for found in self.known.values() if found.startswith("peerconn-")]
        choice = self.random.random()
        if conns and choice < 0.2:
            return "DELETE", f"/v1/peerconn/{self.random.choice(conns)}", query, None
        if vpcs and choice < 0.4:
            return "DELETE", f"/v1/vpc/{self.random.choice(vpcs)}", query, None
        if len(vpcs) >= 2 and choice < 0.7:
            local, peer = self.random.sample(vpcs, 2)
            body = {"bandwidthInMbps": 1, "localVpcId": local, "peerVpcId": peer, "peerRegion": "bj",
                    "billing": {"paymentTiming": "Postpaid"}, "description": name}  # fmt: skip
            return "POST", "/v1/peerconn", query, body
        return "POST", "/v1/vpc", query, {"name": name, "cidr": "10.0.0.0/16"}


def found_by(writer: Writer, url: str) -> dict[str, str]:
    """What the server says there is of this writer's: name -> id."""
    client, mine = writer.client(url), f"w{writer.number}-"
    vpcs = {each["name"]: each["vpcId"] for each in client.call("GET", "/v1/vpc")["vpcs"]}
    conns = client.call("GET", "/v1/peerconn")["peerConns"]
    assert len(vpcs) <= VPCS_PER_REGION and len(conns) <= 2 * CONNECTIONS_PER_ACCOUNT
    named = {each["description"]: each["peerConnId"] for each in conns if each["role"] == "initiator"}
    return {name: found for name, found in (vpcs | named).items() if name.startswith(mine)}


def check_what_was_told(writers: list[Writer], url: str) -> None:
    for writer in writers:
        found = found_by(writer, url)
        differing = dict(set(found.items()) ^ set(writer.known.items()))
        assert len(differing) <= (writer.open is not None), (writer.known, found, writer.open)
        writer.finish(url)
        assert found_by(writer, url) == writer.known


def check_that_changes_are_whole(path: Path) -> None:
    """Each change has its answer for its token, and the other way round; each connection its events."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        made = [edits for (edits,) in database.execute("SELECT edits FROM change WHERE account IS NOT NULL")]
        kept = database.execute("SELECT count(*) FROM answer").fetchone()[0]
        events = Counter(what for (what,) in database.execute("SELECT what FROM event"))
    assert len(made) == kept
    kinds = Counter(re.findall(r'"edit":"(\w+)"', "".join(made)))
    assert events["requested"] == kinds["CreatePeerConn"]
    assert events["deleted"] == kinds["DeletePeerConn"]


@pytest.mark.slow
def test_a_killed_server_has_lost_nothing_that_it_answered(tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(
        "accounts:\n"
        + "".join(f"- {{id: {name}, access_key: ak-{name}, secret_key: sk-{name}}}\n" for name in ACCOUNTS)
    )
    writers = [Writer(number) for number in range(WRITERS)]
    chance = random.Random(8)
    for _ in range(CYCLES):
        with serving(tmp_path) as (process, url):
            check_what_was_told(writers, url)
            threads = [threading.Thread(target=writer.run, args=(url,)) for writer in writers]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.05, 0.6))
            process.kill()
            for thread in threads:
                thread.join()
        assert check_database(tmp_path / "cloud.db") == []
        check_that_changes_are_whole(tmp_path / "cloud.db")
    with serving(tmp_path) as (_, url):
        check_what_was_told(writers, url)
    total = sum(writer.acknowledged for writer in writers)
    sys.stdout.write(f"{CYCLES} kills, {total} changes answered\n")
    assert total > 10 * CYCLES

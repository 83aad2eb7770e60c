"""moto's server: AWS' API over HTTP, all in memory. Asked for the same cycle as netsim, in AWS' words."""

from __future__ import annotations

import http.client
import importlib.util
import re
import subprocess
import sys
import time
from urllib.parse import urlencode

from benchmarks.bench_serve import cpu_s_of

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=ak/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
)
START_S = 30.0


def is_installed(python: str = sys.executable) -> bool:
    """Whether this (or another) python has moto and its server."""
    if python == sys.executable:
        return importlib.util.find_spec("moto") is not None
    return subprocess.run([python, "-c", "import moto.server"], capture_output=True, check=False).returncode == 0


class MotoServer:
    """A server process, and a client that keeps its connection; it does not check signatures."""

    def __init__(self, port: int, python: str = sys.executable) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._vpcs = [self._made("CreateVpc", "vpcId", CidrBlock=f"10.{n}.0.0/16") for n in (1, 2)]
                break
            except OSError:
                if time.monotonic() > deadline:
                    self.close()
                    raise
                time.sleep(0.1)
        self._table = self._made("CreateRouteTable", "routeTableId", VpcId=self._vpcs[0])

    def cycle(self) -> None:
        """Ask for a connection, accept it, route to it, look at it; then take route and connection away."""
        here, there = self._vpcs
        conn = self._made("CreateVpcPeeringConnection", "vpcPeeringConnectionId", VpcId=here, PeerVpcId=there)
        self._ask("AcceptVpcPeeringConnection", VpcPeeringConnectionId=conn)
        route = {"RouteTableId": self._table, "DestinationCidrBlock": "10.2.0.0/16"}
        self._ask("CreateRoute", VpcPeeringConnectionId=conn, **route)
        self._ask("DescribeVpcPeeringConnections", **{"VpcPeeringConnectionId.1": conn})
        self._ask("DeleteRoute", **route)
        self._ask("DeleteVpcPeeringConnection", VpcPeeringConnectionId=conn)

    @property
    def cpu_s(self) -> float:
        """What it has used of processors."""
        return cpu_s_of(self._process.pid)

    def close(self) -> None:
        """End it."""
        self._connection.close()
        self._process.terminate()
        self._process.wait()

    def _made(self, action: str, member: str, **arguments: str) -> str:
        found = re.search(f"<{member}>([^<]+)<", self._ask(action, **arguments))
        assert found is not None, action
        return found[1]

    def _ask(self, action: str, **arguments: str) -> str:
        body = urlencode({"Action": action, "Version": "2016-11-15", **arguments})
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            self._connection.request("POST", "/", body, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        assert answer.status == 200, text
        return text

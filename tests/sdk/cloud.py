"""A served cloud on loopback, and the vendor's own SDK clients for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from baidubce.auth.bce_credentials import BceCredentials
from baidubce.bce_client_configuration import BceClientConfiguration
from baidubce.exception import BceHttpClientError
from baidubce.retry.retry_policy import NoRetryPolicy
from baidubce.services.bcm.bcm_client import BcmClient
from baidubce.services.route.route_client import RouteClient
from baidubce.services.subnet.subnet_client import SubnetClient
from baidubce.services.vpc.peerconn_client import PeerConnClient
from baidubce.services.vpc.vpc_client import VpcClient

from netsim.api.app import Api
from netsim.api.connection import Limits
from netsim.api.server import Server, listen
from netsim.api.service import Service, Start
from netsim.api.site import Site
from netsim.controlplane import edit

ACCOUNTS = ("acme", "data-team", "third")


class Cloud:
    """A server in this process, as `netsim serve` runs it."""

    def __init__(self, path: Path, limits: Limits | None = None, **start: Any) -> None:
        self.service = Service(
            path, time.time_ns, Start(edits=tuple(edit.CreateAccount(account) for account in ACCOUNTS), **start)
        )
        for account in ACCOUNTS:
            self.service.keys[f"ak-{account}"] = (f"sk-{account}", account)
        self.socket = listen("127.0.0.1", 0)
        self.port: int = self.socket.getsockname()[1]
        ready = threading.Event()
        site = Site(Api(self.service, operator_token="operator-token"))
        self.server = Server(site, on_ready=ready.set, limits=limits)
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def close(self) -> None:
        self.server.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.socket.close()
        self.service.close()

    def tenant(self, account: str, region: str = "bj") -> Tenant:
        return Tenant(self.port, account, region)


class Tenant:
    """The SDK's clients of one account in one region; nothing of them is changed but the endpoint."""

    def __init__(self, port: int, account: str, region: str, secret: str | None = None) -> None:
        # The request goes to our socket as to a proxy, and carries the vendor's host name: that is the region.
        config = BceClientConfiguration(
            credentials=BceCredentials(f"ak-{account}", secret or f"sk-{account}"),
            endpoint=f"bcc.{region}.baidubce.com",
            proxy_host="127.0.0.1",
            proxy_port=port,
            retry_policy=NoRetryPolicy(),
        )
        self.account, self.region = account, region
        self.vpc, self.subnet, self.route = VpcClient(config), SubnetClient(config), RouteClient(config)
        self.peer, self.monitor = PeerConnClient(config), BcmClient(config)

    def network(self, name: str, cidr: str) -> str:
        """A VPC with one subnet; its id."""
        vpc_id: str = self.vpc.create_vpc(name, cidr).vpc_id
        self.subnet.create_subnet("s", f"cn-{self.region}-a", cidr.rsplit("/", 1)[0] + "/24", vpc_id)
        return vpc_id

    def table_of(self, vpc_id: str) -> str:
        return str(self.route.get_route(vpc_id=vpc_id).route_table_id)


class Refused:
    """`with refused(413, "LimitExceeded"):` - the SDK raises, with the status and the code."""

    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code

    def __enter__(self) -> Refused:
        return self

    def __exit__(self, kind: Any, error: Any, _: Any) -> bool:
        assert isinstance(error, BceHttpClientError), f"expected {self.status} {self.code}, got {kind}"
        assert (error.status_code, error.code) == (self.status, self.code), str(error.last_error)
        assert error.request_id
        self.message = str(error.last_error)
        return True


refused = Refused

"""A server process that is killed, stopped, left alone for a week, and looked at by a monitoring system."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from baidubce.services.vpc import peerconn_model
from prometheus_client.parser import text_string_to_metric_families

from netsim.api.client import ServerError
from netsim.errors import RefusedError
from netsim.store.check import check_database
from netsim.units import NS_PER_DAY
from tests.cli_process import RunCli
from tests.sdk.served import PATIENCE_S, Served, serving

POSTPAID = peerconn_model.Billing("Postpaid")
PREPAID = peerconn_model.Billing("Prepaid", 1)
WEEK_S = 7 * 86_400


def ask(served: Served) -> tuple[str, str]:
    """A request to another account, and a prepaid connection: ids."""
    acme, far, other = served.tenant("acme"), served.tenant("acme", "gz"), served.tenant("data-team", "gz")
    shop, data, theirs = (t.network(n, "10.0.0.0/16") for t, n in ((acme, "shop"), (far, "data"), (other, "theirs")))
    asked = acme.peer.create_peerconn(1, shop, theirs, "gz", billing=POSTPAID, peer_account_id="data-team").peer_conn_id
    prepaid = acme.peer.create_peerconn(1, shop, data, "gz", billing=PREPAID).peer_conn_id
    return str(asked), str(prepaid)


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@pytest.mark.slow
def test_a_clock_that_was_advanced_stays_so_after_a_kill(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        asked, _ = ask(served)
        assert served.tenant("acme").peer.get_peerconn(asked).status == "consulting"
        said = served.operator.call("POST", "/netsim/v1/operator/clock", body={"advanceS": WEEK_S})
        served.process.kill()
    with serving(tmp_path) as served:
        assert served.tenant("acme").peer.get_peerconn(asked).status == "consult_failed"
        now = served.operator.call("GET", "/netsim/v1/operator/clock")["clock"]["control_time"]
        assert moment(now) >= moment(said["clock"]["control_time"])
    assert check_database(tmp_path / "cloud.db") == []


def let_days_pass(database: Path, days: int) -> None:
    """What a wall clock does to a server that is off: the control clock is the wall's plus what is kept here."""
    key = "control_clock_offset_ns"
    with closing(sqlite3.connect(database)) as connection, connection:
        (before,) = connection.execute("SELECT coalesce(max(value), '0') FROM setting WHERE key = ?", (key,)).fetchone()
        connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, str(int(before) + days * NS_PER_DAY)))


@pytest.mark.slow
def test_what_comes_due_while_the_server_is_off_is_due_as_of_its_deadline(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        asked, prepaid = ask(served)
        created = moment(served.tenant("acme").peer.get_peerconn(asked).created_time)
        expires = served.tenant("acme").peer.get_peerconn(prepaid).expired_time
        assert served.end(signal.SIGTERM) == 0
    let_days_pass(tmp_path / "cloud.db", 6)
    with serving(tmp_path) as served:
        acme = served.tenant("acme")
        assert [acme.peer.get_peerconn(each).status for each in (asked, prepaid)] == ["consulting", "active"]
        assert served.end(signal.SIGTERM) == 0
    let_days_pass(tmp_path / "cloud.db", 40)
    with serving(tmp_path) as served:
        acme = served.tenant("acme")
        assert [acme.peer.get_peerconn(each).status for each in (asked, prepaid)] == ["consult_failed", "expired"]
        assert acme.peer.get_peerconn(prepaid).expired_time == expires
        acme.vpc.create_vpc("later", "10.0.0.0/16")  # what the clock did is written with the next change
        assert served.end(signal.SIGTERM) == 0
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as connection:
        events = connection.execute("SELECT peer_conn_id, what, at_ns / 1000000000 FROM event ORDER BY seq").fetchall()
    due = {(conn, what): at_s for conn, what, at_s in events}
    assert due[asked, "timed_out"] == int((created + timedelta(days=7)).timestamp())
    assert due[prepaid, "expired"] == int(moment(expires).timestamp())
    assert check_database(tmp_path / "cloud.db") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cloud.db", "cloud.db.samples"])
def test_a_file_of_a_newer_schema_is_refused_in_a_line_and_left_alone(
    tmp_path: Path, run_cli: RunCli, name: str
) -> None:
    with serving(tmp_path) as served:
        assert served.end(signal.SIGINT) == 0
    with closing(sqlite3.connect(tmp_path / name)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    before = (tmp_path / name).read_bytes()
    result = run_cli("serve", "--port", "0", "--db", tmp_path / "cloud.db", timeout_s=PATIENCE_S)
    assert result.code == 5 and result.stdout == "", result
    assert len(result.stderr.splitlines()) == 1 and "schema 99" in result.stderr, result
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.slow
def test_a_stop_answers_what_was_begun_and_keeps_what_it_answered(tmp_path: Path) -> None:
    made: dict[str, str] = {}
    answered = [0]
    broken: list[str] = []

    def work(number: int, served: Served) -> None:
        client = served.own("acme", "bj" if number % 2 else "gz")
        for n in range(10_000):
            body = {"name": f"v{number}-{n}", "cidr": "10.0.0.0/16"}
            try:
                vpc = client.call("POST", "/v1/vpc", {"clientToken": body["name"]}, body)["vpcId"]
                made[body["name"]] = vpc
                client.call("DELETE", f"/v1/vpc/{vpc}")
                del made[body["name"]]
                answered[0] += 2
            except RefusedError as refused:
                broken.append(str(refused))
            except ServerError as error:
                if not re.search(r"refused|reset", str(error), re.IGNORECASE):
                    broken.append(str(error))  # an answer that was cut off, or none
                return

    with serving(tmp_path) as served:
        threads = [threading.Thread(target=work, args=(number, served)) for number in range(6)]
        for thread in threads:
            thread.start()
        threading.Event().wait(1.0)
        assert served.end(signal.SIGTERM) == 0
        for thread in threads:
            thread.join()
        log = served.logged()
    assert not broken and answered[0] > 20, (broken, answered)
    assert "Traceback" not in log and '"status": 5' not in log
    assert check_database(tmp_path / "cloud.db") == []
    with serving(tmp_path) as served:
        found = {vpc.name for region in ("bj", "gz") for vpc in served.tenant("acme", region).vpc.list_vpcs().vpcs}
        # One whose deletion was under way when the server ended may be there or not.
        assert found <= set(made) and len(set(made) - found) <= 6


@pytest.mark.slow
def test_metrics_follow_the_rules_of_their_names_and_agree_with_the_engine(tmp_path: Path) -> None:
    """Source: prometheus.io/docs/practices/naming and /docs/instrumenting/writing_exporters."""
    with serving(tmp_path) as served:
        ask(served)
        assert json.loads(served.page("/healthz"))["status"] == "ok"
        text = served.page("/metrics")
        resources = served.operator.call("GET", "/netsim/v1/operator/state")["resources"]
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families) > 5
    for family in families:
        assert re.fullmatch(r"netsim_[a-z]+(_[a-z]+)*", family.name), family.name
        assert family.documentation.endswith(".") and family.type in {"counter", "gauge"}
        is_counter = family.type == "counter"
        assert all(sample.name.endswith("_total") == is_counter for sample in family.samples), family.name
        assert not re.search(r"milli|kilo|mega|_ms|_mbps|_minutes", family.name)
        keys = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len(set(keys)) == len(keys) and all(re.fullmatch(r"[a-z_]+", name) for key in keys for name, _ in key)
    values = {
        sample.labels["kind"]: sample.value
        for family in families if family.name == "netsim_resources" for sample in family.samples
    }  # fmt: skip
    assert values == resources
    conns = {sample.labels["peer_connection"] for family in families if family.name == "netsim_egress_bytes"
             for sample in family.samples}  # fmt: skip
    assert len(conns) == resources["peer_conns"] == 2


@pytest.mark.slow
def test_nothing_that_lets_somebody_in_is_logged(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        acme = served.tenant("acme")
        acme.vpc.create_vpc("a-name-of-mine", "10.0.0.0/16", description="a word of mine")
        made = served.operator.call("POST", "/netsim/v1/operator/account", body={"id": "fresh"})
        for bad in (served.own("nobody"), served.own("acme")):
            bad._secret_key = "wrong"
            with pytest.raises(ServerError):
                bad.call("GET", "/v1/vpc")
        assert served.end(signal.SIGTERM) == 0
        token, log = served.operator._operator_token, served.logged()
    for name in ("cloud.db", "cloud.db.operator"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name
    for secret in ("sk-acme", "sk-data-team", token, made["secretKey"], "bce-auth", "Bearer", "of mine", "of-mine"):
        assert secret not in log, secret
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["status"] for line in lines if "status" in line} == {200, 400, 403}

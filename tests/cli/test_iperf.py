"""netsim iperf: what iperf3 prints, sums that are those of the intervals, and the cap that set them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netsim.cli.iperf_text import quantity
from netsim.cli.main import main
from tests.cli.real_iperf import key_paths, run_iperf3, shape
from tests.cli_process import RunCli
from tests.namespaces import Namespaces

SHOP = Path(__file__).with_name("shop.netsim.yaml")
FAST = Path(__file__).parents[2] / "topologies" / "two-vpcs-one-account.netsim.yaml"
Capsys = pytest.CaptureFixture[str]


def run(capsys: Capsys, *args: str, file: Path = SHOP) -> tuple[int, str, str]:
    code = main(["iperf", *args, "--topology", str(file)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def run_json(capsys: Capsys, *args: str, file: Path = SHOP) -> Any:
    code, out, err = run(capsys, *args, "-J", file=file)
    assert (code, err) == (0, "")
    return json.loads(out)


UDP = ["-u", "-b", "5M", "-t", "2"]
TCP = ["-b", "4M", "-t", "2"]
LIKE_IPERF3 = {
    "udp": UDP,
    "udp streams": [*UDP, "-P", "2"],
    "udp reverse": [*UDP, "-R"],
    "udp omit": [*UDP, "-O", "1"],
    "udp reverse streams": [*UDP, "-R", "-P", "2"],
    "udp length": ["-u", "-b", "2M", "-t", "1", "-i", "0.5", "-l", "500"],
    "tcp": TCP,
    "tcp streams": [*TCP, "-P", "2"],
    "tcp reverse": [*TCP, "-R"],
    "tcp reverse streams": [*TCP, "-R", "-P", "2"],
    "tcp omit": [*TCP, "-O", "1"],
}


@pytest.mark.slow
@pytest.mark.netns
@pytest.mark.parametrize("name", LIKE_IPERF3)
def test_the_text_is_iperf3_s(name: str, netns: Namespaces, capsys: Capsys) -> None:
    code, out, err = run(capsys, "web-1", "db-1", *LIKE_IPERF3[name])
    assert (code, err) == (0, "")
    *text, limited, end = out.split("\n")
    assert limited.startswith("Limited by ") and end == ""
    assert shape("\n".join(text)) == shape(run_iperf3(netns, *LIKE_IPERF3[name]))


NOT_OURS = {"start.sock_bufsize", "start.sndbuf_actual", "start.rcvbuf_actual"}
"""Sizes of socket buffers: there are no sockets."""
OURS = {"end.limited_by", "end.caps"} | {
    f"end.caps.{key}"
    for key in ("peer_connection", "side", "from", "to", "cap_bps", "utilization_ratio", "dropped_packets")
}


@pytest.mark.slow
@pytest.mark.netns
@pytest.mark.parametrize("name", LIKE_IPERF3)
def test_the_names_in_json_are_iperf3_s(name: str, netns: Namespaces, capsys: Capsys) -> None:
    theirs = json.loads(run_iperf3(netns, *LIKE_IPERF3[name], "-J"))
    ours = run_json(capsys, "web-1", "db-1", *LIKE_IPERF3[name])
    assert key_paths(ours) - OURS == key_paths(theirs) - NOT_OURS
    assert list(ours) == list(theirs)
    asked = [{**each["start"]["test_start"]} for each in (ours, theirs)]
    assert asked[0] == asked[1]
    assert len(ours["intervals"]) == len(theirs["intervals"])


@pytest.mark.parametrize("args", [[], ["-R"], ["-P", "3"], ["-O", "0.5"], ["-i", "0.3"], ["-i", "0"]])
def test_sums_are_those_of_the_intervals(args: list[str], capsys: Capsys) -> None:
    document = run_json(capsys, "web-1", "db-1", "-u", "-b", "8M", "-t", "1.5", *args)
    assert_sums(document, is_reverse="-R" in args)


def assert_sums(document: Any, *, is_reverse: bool) -> None:
    """Bytes, packets, losses: over intervals and over streams, exactly."""
    counted = [interval for interval in document["intervals"] if not interval["sum"]["omitted"]]
    of_all = document["end"]["sum_received" if is_reverse else "sum_sent"]
    names = {"bytes", "packets", "lost_packets", "retransmits"} & counted[0]["sum"].keys()
    for name in names:
        assert of_all[name] == sum(interval["sum"][name] for interval in counted), name
        for interval in document["intervals"]:
            assert interval["sum"][name] == sum(stream[name] for stream in interval["streams"]), name
    assert counted[0]["sum"]["start"] == 0
    assert counted[-1]["sum"]["end"] == document["end"]["sum_sent"]["seconds"]
    for entry in (of_all, *(interval["sum"] for interval in document["intervals"])):
        assert entry["bits_per_second"] == pytest.approx(entry["bytes"] * 8 / entry["seconds"])


def test_a_datagram_flow_gets_what_it_asks_for(capsys: Capsys) -> None:
    """4 Mbit/s of 1000-byte payloads, 500 a second."""
    document = run_json(capsys, "web-1", "db-1", "-u", "-b", "4M", "-l", "1000", "-t", "2")
    end = document["end"]
    assert end["sum_sent"]["bytes"] == 1000 * end["sum_sent"]["packets"]
    assert end["sum_sent"]["packets"] == pytest.approx(1000, abs=1)
    assert end["sum_received"]["lost_packets"] == 0
    assert end["limited_by"] is None
    assert [cap["peer_connection"] for cap in end["caps"]] == ["shop-data"]
    assert end["caps"][0]["utilization_ratio"] == pytest.approx(0.4 * 1028 / 1000, rel=0.01)


def test_what_the_cap_drops_is_lost_and_the_cap_is_named(capsys: Capsys) -> None:
    document = run_json(capsys, "web-1", "db-1", "-u", "-b", "20M", "-l", "1000", "-t", "2")
    received = document["end"]["sum_received"]
    assert received["lost_packets"] == document["end"]["caps"][0]["dropped_packets"] > 2000
    assert received["bits_per_second"] == pytest.approx(10e6 * 1000 / 1028, rel=0.04)
    assert document["end"]["limited_by"] == "shop-data, shop to data"
    reverse = run_json(capsys, "web-1", "db-1", "-u", "-b", "20M", "-l", "1000", "-t", "1", "-R")
    assert reverse["end"]["limited_by"] == "shop-data, data to shop"
    assert reverse["start"]["connected"][0]["local_host"] == "192.168.0.10"


@pytest.mark.parametrize("args", [[], ["-R"], ["-P", "3"], ["-O", "1", "-i", "0.7"], ["-b", "2M"]])
def test_sums_of_tcp_are_those_of_the_intervals(args: list[str], capsys: Capsys) -> None:
    document = run_json(capsys, "web-1", "db-1", "-t", "3", *args)
    assert_sums(document, is_reverse="-R" in args)
    end = document["end"]
    assert sum(stream["receiver"]["bytes"] for stream in end["streams"]) == end["sum_received"]["bytes"]
    assert sum(stream["sender"]["retransmits"] for stream in end["streams"]) == end["sum_sent"]["retransmits"]


def test_tcp_fills_the_cap_and_says_so(capsys: Capsys) -> None:
    """10 Mbit/s of 1400-byte packets, 1348 of them data; a window of half a second there and back by then."""
    end = run_json(capsys, "web-1", "db-1", "-t", "20", "-O", "5")["end"]
    assert 0.95 <= end["sum_received"]["bits_per_second"] / (10e6 * 1348 / 1400) <= 1.01
    assert end["limited_by"] == "shop-data, shop to data"
    assert end["streams"][0]["sender"]["min_rtt"] > 60_000


def test_a_tcp_rate_is_kept(capsys: Capsys) -> None:
    end = run_json(capsys, "web-1", "db-1", "-t", "5", "-O", "1", "-b", "3M")["end"]
    assert end["sum_sent"]["bits_per_second"] == pytest.approx(3e6, rel=0.01)
    assert end["limited_by"] is None


def test_what_is_on_its_way_is_not_lost(capsys: Capsys) -> None:
    """60 ms of it, 30 there and the delivery, at 500 packets a second."""
    end = run_json(capsys, "web-1", "db-1", "-u", "-b", "4M", "-l", "1000", "-t", "1")["end"]
    assert end["sum_sent"]["packets"] - end["sum_received"]["packets"] == pytest.approx(15, abs=1)


def test_with_traffic_the_file_s_flows_take_their_part(capsys: Capsys) -> None:
    alone, beside = (
        run_json(capsys, "web-1", "db-1", "-u", "-b", "5M", "-t", "1", *more)["end"]
        for more in ([], ["--with-traffic"])
    )
    assert alone["sum_received"]["lost_packets"] == 0 < beside["sum_received"]["lost_packets"]
    assert beside["limited_by"] == "shop-data, shop to data"


def test_parallel_streams_have_consecutive_ports(capsys: Capsys) -> None:
    connected = run_json(capsys, "web-1", "db-1", "-u", "-t", "0.1", "-P", "3", "-p", "7000")["start"]["connected"]
    assert [end["local_port"] for end in connected] == [49152, 49153, 49154]
    assert {end["remote_port"] for end in connected} == {7000}


def test_t_is_a_time_or_a_file(capsys: Capsys) -> None:
    assert main(["iperf", "web-1", "db-1", "-u", "-t", str(SHOP), "-t", "0.5", "-J"]) == 0
    assert json.loads(capsys.readouterr().out)["start"]["test_start"]["duration"] == 0.5
    assert main(["-t", str(SHOP), "iperf", "web-1", "db-1", "-u", "-t", "1", "-q"]) == 0
    assert "iperf Done." in capsys.readouterr().out


def test_nobody_there_is_iperf3_s_error(capsys: Capsys) -> None:
    code, out, err = run(capsys, "job-1", "db-1", "-u")
    assert (code, out) == (1, "")
    assert err.startswith("netsim: iperf: error - unable to connect to server: no_return_route")
    code, out, err = run(capsys, "db-1", "vault-1", "-u", "-J")
    document = json.loads(out)
    assert (code, err) == (1, "")
    assert (document["intervals"], document["end"]) == ([], {})
    assert document["error"].startswith("unable to connect to server: no_route")


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["web-9", "db-1"], 4, 'instance "web-9": not found'),
        (["web-1", "db-1", "-u", "-b", "20X"], 2, '"20X" is no rate, accepted 0 or more, like 500K, 20M, 1.5G'),
        (["web-1", "db-1", "-u", "-b", "0"], 2, "a UDP stream needs a rate"),
        (["web-1", "db-1", "-u", "-l", "70000"], 2, "datagram's data in bytes is 70000, accepted 16..65507"),
        (["web-1", "db-1", "-t", "0"], 2, "-t 0 is no time"),
        (["web-1", "db-1", "-t", "-5"], 2, "-t -5 is no time"),
        (["web-1", "db-1", "-t", "10", "-i", "0.00001"], 2, "more than 100,000 intervals"),
        (["web-1", "db-1", "-P", "129"], 2, "129 is not in the range 1<=x<=128"),
        (["web-1", "db-1", "-t", "no.netsim.yaml"], 3, "no.netsim.yaml"),
    ],
)
def test_mistakes(args: list[str], code: int, text: str, capsys: Capsys) -> None:
    got = main(["iperf", *args, *([] if "no.netsim.yaml" in args else ["--topology", str(SHOP)])])
    printed = capsys.readouterr()
    assert (got, printed.out) == (code, ""), printed
    assert text in printed.err and printed.err.count("\n") == 1


@pytest.mark.slow
def test_the_same_call_is_the_same_bytes(run_cli: RunCli) -> None:
    args: list[str | Path] = [
        "iperf",
        "web-1",
        "db-1",
        "-u",
        "-b",
        "12M",
        "-t",
        "1",
        "-P",
        "2",
        "--with-traffic",
        "-t",
        SHOP,
    ]
    first = run_cli(*args)
    assert first.code == 0
    assert run_cli(*args) == first


@pytest.mark.parametrize(
    ("value", "base", "text"),
    [
        (0, 1000, "0.00 "), (999, 1000, " 999 "), (1000, 1000, "1.00 K"), (9_994_000, 1000, "9.99 M"),
        (9_996_000, 1000, "10.0 M"), (99_960_000, 1000, " 100 M"), (1023, 1024, "1023 "), (1 << 40, 1024, "1.00 T"),
        (5000 * 1e12, 1000, "5000 T"),
    ],
)  # fmt: skip
def test_quantities_have_four_places(value: float, base: int, text: str) -> None:
    assert quantity(value, base) == text

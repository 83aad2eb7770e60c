"""The chart: well-formed, honest about the cap, the drops and the gaps, and safe with any name."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from netsim.errors import NotFoundError
from netsim.monitor.chart import MAX_POINTS, bandwidth_chart
from netsim.monitor.monitor import Monitor

S = 1_000_000_000
SVG = "{http://www.w3.org/2000/svg}"


def parse(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own output


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [node for node in root.iter() if node.get("class") == name]


def points(path: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get("d", ""))]


def texts(root: ET.Element) -> str:
    return "\n".join("".join(node.itertext()) for node in root.iter(f"{SVG}text"))


def run_seconds(world: Any, monitor: Monitor, seconds: int, mbps: float, dropped_at: int = -1) -> None:
    first = monitor.next_boundary_ns // S - 1
    for second in range(first, first + seconds):
        world.send(0, n_bytes=round(mbps * 125_000), packets=100, dropped=7 if second == dropped_at else 0)
        monitor.observe((second + 1) * S, world.counters)


def test_each_direction_has_one_level_stretch_per_sample(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 12, 50)
    root = parse(bandwidth_chart(monitor))
    for k in (0, 1):
        (line,) = [node for node in of_class(root, f"line{k}") if node.tag == f"{SVG}path"]
        assert line.get("data-points") == "12"
        assert len(points(line)) == 24


def test_the_cap_line_lies_where_the_axis_says_the_cap_is(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 4, 50)
    root = parse(bandwidth_chart(monitor))
    (cap,) = of_class(root, "cap")
    (line,) = [node for node in of_class(root, "line0") if node.tag == f"{SVG}path"]
    zero_y = float(of_class(root, "axis")[0].get("y1", ""))
    # 100 Mbit/s stands twice as high as the traffic of 50 Mbit/s.
    assert zero_y - points(cap)[0][1] == pytest.approx(2 * (zero_y - points(line)[0][1]), abs=0.05)
    assert len(points(cap)) == 2
    assert points(cap)[-1][0] - points(cap)[0][0] == pytest.approx(860)
    assert "cap 100 Mbit/s" in texts(root)


def test_a_resize_is_a_step_in_the_cap_line(world: Any, monitor: Monitor, make_connection: Any) -> None:
    run_seconds(world, monitor, 2, 50)
    monitor.describe(2 * S, [make_connection(cap_bps=200_000_000)], world.counters)
    run_seconds(world, monitor, 2, 50)
    root = parse(bandwidth_chart(monitor))
    heights = [y for _, y in points(of_class(root, "cap")[0])]
    assert len(set(heights)) == 2
    assert heights[-1] < heights[0]
    assert "cap 200 Mbit/s" in texts(root)


def test_a_trickle_is_readable_and_the_cap_becomes_a_note(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 4, 1)
    root = parse(bandwidth_chart(monitor))
    assert not of_class(root, "cap")
    assert "cap 100 Mbit/s, far above" in texts(root)


def test_drops_are_marked_where_and_in_which_direction_they_happened(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 10, 100, dropped_at=4)
    root = parse(bandwidth_chart(monitor))
    (bar,) = of_class(root, "drop0")
    assert not of_class(root, "drop1")
    assert float(bar.get("x", "")) == pytest.approx(72 + 0.4 * 860, abs=0.1)
    assert "".join(bar.itertext()) == "shop → data: 7 packets dropped"
    assert "7 dropped" in texts(root)
    assert "no drops" not in texts(root)


def test_no_drops_is_said(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 3, 50)
    assert "no drops" in texts(parse(bandwidth_chart(monitor)))


def test_a_gap_breaks_the_line(world: Any, monitor: Monitor, make_connection: Any) -> None:
    run_seconds(world, monitor, 2, 50)
    monitor.describe(2 * S, [], world.counters)
    monitor.observe(5 * S, world.counters)
    monitor.describe(5 * S, [make_connection()], world.counters)
    run_seconds(world, monitor, 2, 50)
    root = parse(bandwidth_chart(monitor))
    (line,) = [node for node in of_class(root, "line0") if node.tag == f"{SVG}path"]
    assert line.get("d", "").count("M") == 2
    assert line.get("data-points") == "4"


def test_a_long_run_is_rolled_up_and_says_so(world: Any, monitor: Monitor) -> None:
    monitor.observe(3600 * S, world.counters)
    root = parse(bandwidth_chart(monitor))
    (line,) = [node for node in of_class(root, "line0") if node.tag == f"{SVG}path"]
    assert int(line.get("data-points", "")) == 360 <= MAX_POINTS
    assert "mean over 10 s" in texts(root)


def test_axes_have_units_and_ticks(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 20, 50)
    ticks = ["".join(node.itertext()) for node in of_class(parse(bandwidth_chart(monitor)), "tick")]
    assert {"Mbit/s", "0", "50", "100", "0 s", "10 s", "20 s"} <= set(ticks)


def test_the_control_clock_gives_a_utc_axis(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 20, 50)
    root = parse(bandwidth_chart(monitor, clock="control"))
    assert "UTC" in texts(root)
    assert "00:00:10" in texts(root)


def test_it_has_a_title_and_a_description_in_words(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 4, 50)
    root = parse(bandwidth_chart(monitor, title="cross-region"))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "cross-region"
    assert "c0, shop → data: mean 50 Mbit/s, peak 50 Mbit/s, 50% of the cap" in (root.findtext(f"{SVG}desc") or "")


def test_any_name_is_text_and_nothing_else(make_world: Any, make_connection: Any) -> None:
    world, monitor = make_world(2), Monitor(S)
    name = '</text><script>alert(1)</script>&"\x00\x1b\ud800'
    monitor.describe(0, [make_connection(name=name)], world.counters)
    monitor.observe(S, world.counters)
    text = bandwidth_chart(monitor, title=name)
    root = parse(text)
    assert not list(root.iter(f"{SVG}script"))
    assert text.isprintable() or "\x00" not in text
    assert "</text><script>alert(1)</script>&" in texts(root)
    text.encode()


def test_it_is_self_contained_and_follows_the_scheme(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 1, 50)
    text = bandwidth_chart(monitor)
    assert "prefers-color-scheme:dark" in text
    assert not re.search(r"<script|@import|url\(|href|<image|<foreignObject", text)
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_same_samples_same_bytes(world: Any, monitor: Monitor) -> None:
    run_seconds(world, monitor, 5, 33.3)
    assert bandwidth_chart(monitor) == bandwidth_chart(monitor)


def test_without_samples_it_says_so() -> None:
    root = parse(bandwidth_chart(Monitor(S)))
    assert "no samples yet" in texts(root)


def test_an_unknown_connection_is_refused(monitor: Monitor) -> None:
    with pytest.raises(NotFoundError, match="'nope' is not monitored"):
        bandwidth_chart(monitor, ["nope"])

"""graph: pictures that show everything, escape names and never pile boxes up."""

from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from netsim.cli import layout
from netsim.cli.main import main
from netsim.cli.svg_style import fit_width, text_width
from netsim.cli.topology_dot import topology_dot
from netsim.cli.topology_svg import topology_svg
from netsim.topology_file import load_topology, new_topology, read_topology
from tests.cli_process import ROOT

TOPOLOGIES = sorted((ROOT / "topologies").glob("*.netsim.yaml"))
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)  # noqa: S314 - our own output
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("file", TOPOLOGIES, ids=lambda file: file.name.partition(".")[0])
def test_everything_is_in_the_picture(file: Path) -> None:
    topology = load_topology(file)
    inventory = topology.inventory
    svg = topology_svg(inventory, topology.name)
    shown = texts(svg)
    assert {vpc.name for vpc in inventory.vpcs.values()} <= set(shown)
    assert {subnet.name for subnet in inventory.subnets.values()} <= set(shown)
    unnamed = {instance.name for instance in inventory.instances.values()} - set(shown)
    assert not unnamed or f"+ {len(unnamed)} more" in shown
    for conn in inventory.peer_conns.values():
        assert conn.name in shown
        figures = next(text for text in shown if text.startswith(f"{conn.bandwidth_mbps} Mbit/s · "))
        assert "ms" in figures
    states = re.findall(r'class="link (\w+)"', svg)
    assert sorted(states) == sorted(str(conn.state) for conn in inventory.peer_conns.values())
    assert topology_svg(inventory, topology.name) == svg


def test_names_are_escaped_and_nothing_points_outside() -> None:
    text = (ROOT / "topologies" / "two-vpcs-one-account.netsim.yaml").read_text(encoding="utf-8")
    topology = read_topology(text.replace("web-1", '"<script>&\'"'), "t")
    svg = topology_svg(topology.inventory, '<b>"&')
    assert "<script>&'" in texts(svg)
    assert "<script" not in svg
    assert not re.search(r"(?:href|src|url\()", svg)
    assert re.findall(r"https?://\S+?(?=[\"'])", svg) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("template", ["hub:10", "mesh:8", "chain:9", "random:25", "hub:40"])
def test_boxes_never_overlap_and_lie_inside(template: str) -> None:
    svg = topology_svg(read_topology(new_topology(template), "t").inventory, template)
    root = ET.fromstring(svg)  # noqa: S314 - our own output
    boxes = [
        tuple(float(element.attrib[name]) for name in ("x", "y", "width", "height"))
        for element in root.iter(f"{SVG}rect")
        if element.get("class") == "box"
    ]
    assert len(boxes) >= 8
    for a, b in itertools.combinations(boxes, 2):
        assert a[0] + a[2] < b[0] or b[0] + b[2] < a[0] or a[1] + a[3] < b[1] or b[1] + b[3] < a[1]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(x > 0 and y > 0 and x + w < width and y + h < height for x, y, w, h in boxes)


def test_a_crowded_picture_leaves_labels_to_hovering() -> None:
    svg = topology_svg(read_topology(new_topology("hub:60"), "t").inventory, "hub")
    root = ET.fromstring(svg)  # noqa: S314 - our own output
    hints = {line.findtext(f"{SVG}title", "").partition("\n")[0] for line in root.iter(f"{SVG}line")}
    assert hints == {f"hub-{k}" for k in range(1, 61)}
    labels = {text for text in texts(svg) if text in hints}
    assert 0 < len(labels) < 60


def test_layout_of_nothing_one_and_apart() -> None:
    assert layout.place([], []) == []
    assert layout.place([(100, 50)], []) == [(50, 25)]
    apart = layout.place([(100.0, 50.0)] * 3, [(0, 1)])
    assert len(set(apart)) == 3


def test_a_chain_lies_in_a_row() -> None:
    centres = layout.place([(100.0, 50.0)] * 4, [(0, 1), (1, 2), (2, 3)])
    xs = [x for x, _ in centres]
    assert xs == sorted(xs)
    assert all(b - a >= 100 + layout.GAP[0] / 2 for a, b in itertools.pairwise(xs))
    assert max(y for _, y in centres) - min(y for _, y in centres) < 60


def test_large_parts_become_a_grid() -> None:
    n = layout.LARGEST_PART + 50
    centres = layout.place([(100.0, 50.0)] * n, [(k, k + 1) for k in range(n - 1)])
    assert len(set(centres)) == n


def test_text_is_cut_to_fit() -> None:
    assert fit_width("short", 12, 200) == "short"
    cut = fit_width("a rather long name for a box", 12, 80)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 80
    assert text_width("中文", 10) == 20


def test_dot_quotes_names_and_shows_states() -> None:
    topology = load_topology(ROOT / "topologies" / "consulting-request.netsim.yaml")
    dot = topology_dot(topology.inventory, 'a"b\\c')
    assert dot.startswith('graph "a\\"b\\\\c" {\n')
    assert dot.count(" -- ") == len(topology.inventory.peer_conns) + len(topology.inventory.subnets) + len(
        topology.inventory.instances
    )
    assert re.search(r'label="[^"]*\\nconsulting", color="#cf2e49", style=dashed', dot)
    assert dot.count("{") == dot.count("}")


def test_the_command_writes_what_the_name_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(TOPOLOGIES[0])
    for name, start in (("a.svg", "<svg "), ("A.SVG", "<svg "), ("a.dot", "graph "), ("a.gv", "graph ")):
        assert main(["graph", "-t", file, "-o", str(tmp_path / name), "-q"]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    capsys.readouterr()
    assert main(["graph", "-t", file]) == 0
    assert capsys.readouterr().out.startswith("graph ")
    assert main(["graph", "-t", file, "--as", "svg"]) == 0
    assert capsys.readouterr().out.startswith("<svg ")
    assert main(["graph", "-t", file, "-o", "a.png"]) == 2
    assert "ends neither in .svg nor in .dot" in capsys.readouterr().err
    assert main(["graph", "-t", file, "--json"]) == 0
    graph = json.loads(capsys.readouterr().out)
    assert {node["kind"] for node in graph["nodes"]} == {"vpc", "subnet", "instance"}
    assert {edge["kind"] for edge in graph["edges"]} == {"contains", "peer"}

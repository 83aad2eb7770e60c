"""The report of a run: one page, sound, complete, without a word of it from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from netsim.cli.main import main
from netsim.cli.report import report_html
from netsim.cli.report_style import embedded
from tests.cli_process import ROOT

SHOP = Path(__file__).with_name("shop.netsim.yaml")
VOID = {"meta", "br", "link", "img", "input", "hr"}
Capsys = pytest.CaptureFixture[str]


class Page(HTMLParser):
    """A page taken apart; an element that is closed in the wrong order is refused."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", data.strip()))

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.elements if name == tag)

    def of(self, tag: str) -> list[str]:
        return [text for inside, text in self.texts if inside == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert main(["run", str(SHOP), "--out", str(folder), "-q", "--json"]) == 0
    return folder


@pytest.fixture
def text(written: Path) -> str:
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def facts(written: Path) -> Any:
    return json.loads((written / "result.json").read_text(encoding="utf-8"))


def test_nothing_comes_from_elsewhere_and_nothing_is_run(text: str) -> None:
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "href", "action", "data", "xlink:href", "srcset"}:
                assert value.startswith("#"), (tag, name, value)
    addresses = set(re.findall(r"[a-z]+://[^\s\"'<)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}, "the name of SVG, which nobody loads"
    assert "url(" not in text and "@import" not in text
    (policy,) = [meta for meta in page.all("meta") if "http-equiv" in meta]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_links_and_labels_lead_to_ids_that_are_there_once(text: str) -> None:
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("href", "aria-labelledby"):
            for wanted in attributes.get(name, "").split():
                assert wanted.removeprefix("#") in ids


def test_it_can_be_read_without_eyes_and_without_a_mouse(text: str) -> None:
    page = Page(text)
    assert next(page.all("html"))["lang"] == "en"
    headings = [tag for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert headings[0] == "h1" and set(headings[1:]) == {"h2"}
    tables = len(list(page.all("table")))
    assert tables == len(page.of("caption")) >= 4
    assert all(cell["scope"] in {"col", "row"} for cell in page.all("th"))
    scrolled = [attributes for attributes in page.all("div") if attributes.get("class") == "scroll"]
    assert len(scrolled) == tables
    assert all(region["tabindex"] == "0" and region["role"] == "region" for region in scrolled)
    assert [svg["role"] for svg in page.all("svg")] == ["img", "img"]
    assert any("shop-data joins shop and data" in description for description in page.of("desc"))
    assert any("of the cap" in description for description in page.of("desc"))
    assert {"main", "header", "footer", "nav"} <= {tag for tag, _ in page.elements}
    assert "color-scheme:light dark" in text and "prefers-color-scheme:dark" in text


def test_the_figures_are_those_of_the_run(text: str, facts: Any) -> None:
    page = Page(text)
    packets = facts["packets"]
    account = " ".join(page.of("strong") + page.of("p"))
    dropped = sum(packets["dropped"].values())
    assert f"{packets['injected']:,}" in page.of("strong")
    assert f"{packets['delivered']:,} delivered + {dropped:,} dropped + {packets['in_flight']:,} in flight" in account
    cells = page.of("td") + page.of("th")
    for flow in facts["flows"]:
        assert flow["name"] in cells and f"{flow['packets_sent']:,}" in cells
    for conn in facts["peer_connections"]:
        for side in conn["sides"]:
            assert f"{side['vpc']}:{side['interface']}" in cells
            assert f"{side['egress']['dropped_packets']:,}" in cells
    for drop in facts["drops"]:
        assert drop["reason"] in cells and f"{drop['packets']:,}" in cells


def test_expectations_are_shown_as_check_finds_them(text: str, capsys: Capsys) -> None:
    assert main(["check", "-t", str(SHOP), "--json"]) == 1
    checked = json.loads(capsys.readouterr().out)["expectations"]
    cells = Page(text).of("td")
    for one in checked:
        assert one["found"] in cells
    assert cells.count("fails") == sum(not one["holds"] for one in checked) == 3
    assert cells.count("holds") == sum(one["holds"] for one in checked) == 2


def test_what_is_printed_does_not_depend_on_it(tmp_path: Path, capsys: Capsys) -> None:
    """The page sends probes; the figures are from before."""
    for form in (["--format", "csv"], ["--json"], []):
        assert main(["run", str(SHOP), "-q", *form]) == 0
        plain = capsys.readouterr().out
        assert main(["run", str(SHOP), "-q", "--out", str(tmp_path), *form]) == 0
        assert capsys.readouterr().out == plain


def test_the_same_run_is_the_same_page(written: Path, tmp_path: Path) -> None:
    assert main(["run", str(SHOP), "--out", str(tmp_path), "-q", "--json"]) == 0
    assert (tmp_path / "report.html").read_bytes() == (written / "report.html").read_bytes()


def test_names_can_not_command_the_page() -> None:
    name = '<script>alert("x")</script>&\x07'
    flow: dict[str, Any] = {
        "name": name, "from": name, "to": name, "kind": "tcp", "packets_sent": 1, "packets_received": 0,
        "loss_ratio": 1.0, "offered_bps": 8.0, "throughput_bps": 0.0, "goodput_bps": 0.0, "jitter_ms": 0.0,
        "latency_ms": {"mean": None, "p99": None},
        "retransmits": 1, "timeouts": 0, "srtt_ms": None, "cwnd_bytes": 14480,
        "fair_share_bps": 8.0, "bottleneck": {"text": name},
    }  # fmt: skip
    facts = {
        "netsim": "0", "topology": name, "seed": 0, "duration_s": 1.0, "flows": [flow], "peer_connections": [],
        "packets": {"injected": 1, "delivered": 0, "in_flight": 0, "dropped": {"no_route": 1}},
        "drops": [{"vpc": name, "reason": "no_route", "packets": 1}],
    }  # fmt: skip
    page = Page(report_html(facts, topology_svg="<svg ></svg>", bandwidth_svg="<svg ></svg>"))
    assert "script" not in {tag for tag, _ in page.elements}
    assert '<script>alert("x")</script>&\ufffd' in page.of("th")


def test_pictures_keep_their_styles_apart() -> None:
    svg = (
        '<svg role="img" aria-labelledby="netsim-title"><title id="netsim-title">t</title>'
        "<style>.a,.b{fill:red}@media(x){.a{fill:blue}}</style></svg>"
    )
    assert embedded(svg, "one") == (
        '<svg id="one" role="img" aria-labelledby="one-title"><title id="one-title">t</title>'
        "<style>#one .a,#one .b{fill:red}@media(x){#one .a{fill:blue}}</style></svg>"
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "topologies").glob("*.netsim.yaml")), ids=lambda path: path.name[:-12])
def test_every_network_has_a_page(path: Path, tmp_path: Path) -> None:
    assert main(["run", str(path), "--duration", "1", "--out", str(tmp_path), "-q"]) == 0
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(list(page.all("svg"))) == 2

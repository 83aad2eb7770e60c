"""send's expressions: scapy's constructors and nothing else."""

from __future__ import annotations

import pytest

from netsim.cli.scapy_expression import LAYERS, packet_of
from netsim.errors import NotFoundError, UsageError


def resolve(name: str) -> str:
    if name != "db-1":
        raise NotFoundError(f"instance {name!r}: not found")
    return "10.1.0.20"


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("IP(dst='10.1.0.20')/UDP(dport=53)", ["IP", "UDP"]),
        ("IP(dst='db-1', ttl=(1, 3)) / ICMP()", ["IP", "ICMP"]),
        ("IP(dst=['db-1', '10.0.0.0/30'])/TCP(dport=[80, 443], flags='S')/b'x'", ["IP", "TCP", "Raw"]),
        ("Ether()/IP()/UDP()/DNS(qd=DNSQR(qname='shop.local'))/'tail'", ["Ether", "IP", "UDP", "DNS", "Raw"]),
        ("IP(options=[IPOption_RR()], frag=0, proto=253)", ["IP"]),
        (" ARP() ", ["ARP"]),
        ("Raw(load=b'E')", ["Raw"]),
    ],
)
def test_packets(text: str, layers: list[str]) -> None:
    packet = packet_of(text, resolve)
    assert [layer.__name__ for layer in packet.layers()] == layers


def test_instances_stand_for_addresses_in_ip_alone() -> None:
    packet = packet_of("IP(src='db-1',dst='10.0.0.0/30')/Raw(load='db-1')", resolve)
    assert packet.src == "10.1.0.20"
    assert packet.load == b"db-1"


def test_a_host_name_is_never_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def asked(*_: object) -> None:
        raise AssertionError("asked a resolver")

    monkeypatch.setattr(socket, "gethostbyname", asked)
    monkeypatch.setattr(socket, "getaddrinfo", asked)
    with pytest.raises(NotFoundError):
        packet_of("IP(dst='www.example.com')/ICMP()", resolve)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch pwned')",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "IP.__class__",
        "IP(dst=open('/etc/passwd').read())",
        "IP(**{'dst': '10.0.0.1'})",
        "IP(*[1])",
        "IP()/UDP() if True else 1",
        "f'{1}'",
        "IP(ttl=1+1)",
        "IP()*3",
        "IP()//UDP()",
        "globals()",
        "IP(_pkt=b'x', post_transform=1)",
        "IP(_underlayer=IP())",
        "packet := IP()",
        "IP()\nimport os",
        "IP(dst=...)",
        "IP(ttl=3j)",
    ],
)
def test_code_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^packet: [^\n]+$"):
        packet_of(text, resolve)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid syntax"),
        ("IP(", "was never closed"),
        ("IP()/", "invalid syntax"),
        ("'text'", "is no packet"),
        ("[IP()]", "is no packet"),
        ("'a'/IP()", "/ joins layers"),
        ("IP(dest='db-1')", 'IP has no field "dest" — did you mean "dst"'),
        ("TCP(dport='xx')", "TCP(dport='xx')"),
        ("Http()", "is no layer, accepted Ether"),
        ("(" * 300 + "IP()" + ")" * 300, "too many nested parentheses"),
        ("IP(ttl=" + "-" * 5000 + "1)", "packet: "),
        ("IP()" + "/IP()" * 6000, "characters, accepted"),
        ("IP()" + "/IP()" * 3000, "nested too deeply"),
        ("IP(id=" + "9" * 5000 + ")", "packet: "),
        ("IP(\0)", "null bytes"),
    ],
)
def test_mistakes_are_one_line(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        packet_of(text, resolve)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_every_layer_on_the_list_exists() -> None:
    for name in LAYERS:
        assert packet_of(f"{name}()", resolve).__class__.__name__ == name

"""Sockets over an emulated interface, without scapy's functions: descriptors, ends, what is heard."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import pytest
from scapy.error import Scapy_Exception
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

from netsim.errors import UsageError
from netsim.units import NS_PER_S
from netsim.wire.attachment import Attachment
from netsim.wire.scapy_socket import Sockets
from tests.clouds import DB_1, WEB_1, WEB_2, two_vpc_lab


@pytest.fixture
def attachment() -> Iterator[Attachment]:
    lab = two_vpc_lab()
    attachment = Attachment(lab, lab.instance("web-1"))
    yield attachment
    if not attachment.is_over:
        attachment.detach()


def is_readable(socket: Any) -> bool:
    return bool(select.select([socket], [], [], 0)[0])


def test_the_descriptor_is_readable_while_a_packet_waits(attachment: Attachment) -> None:
    wire = Sockets(attachment).l3()
    assert not wire.nonblocking_socket
    for sequence in range(2):
        wire.send(IP(src=WEB_1, dst=DB_1) / ICMP(seq=sequence))
    assert not is_readable(wire)
    attachment.pass_until(NS_PER_S)
    for sequence in range(2):
        assert is_readable(wire)
        assert wire.recv()[ICMP].seq == sequence
    assert not is_readable(wire)
    wire.close()


def test_end_of_file_comes_after_the_last_packet(attachment: Attachment) -> None:
    wire = Sockets(attachment).l3()
    wire.send(IP(src=WEB_1, dst=DB_1) / ICMP())
    attachment.pass_until(NS_PER_S)
    attachment.detach()
    assert wire.recv()[ICMP].type == 0
    assert is_readable(wire)
    with pytest.raises(EOFError):
        wire.recv()
    with pytest.raises(UsageError, match="no longer attached"):
        wire.send(IP(src=WEB_1, dst=DB_1) / ICMP())
    wire.close()
    wire.close()


def test_each_kind_hears_its_own(attachment: Attachment) -> None:
    sockets = Sockets(attachment)
    l3, l2, listen = sockets.l3(), sockets.l2(), sockets.listen()
    l2.send(Ether() / ARP(pdst=WEB_2))
    l2.send(Ether() / IP(src=WEB_1, dst=WEB_2) / ICMP())
    attachment.pass_until(NS_PER_S)
    assert [type(packet) for packet in (l3.recv(), l2.recv(), l2.recv())] == [IP, Ether, Ether]
    heard = [listen.recv() for _ in range(3)]
    assert [ARP in heard[0], heard[1][ICMP].type, heard[2][ICMP].type] == [True, 8, 0], "what goes out as well"
    assert not is_readable(l3) and not is_readable(l2) and not is_readable(listen)
    with pytest.raises(Scapy_Exception, match="only listens"):
        listen.send(IP())
    for socket in (l3, l2, listen):
        socket.close()


def test_nobody_answers_arp_for_an_address_without_a_host(attachment: Attachment) -> None:
    wire = Sockets(attachment).l2()
    for addr in ("192.168.0.99", DB_1, WEB_1):
        wire.send(Ether() / ARP(pdst=addr))
    wire.send(b"\xff" * 12 + b"\x08\x06\0\1")
    assert not is_readable(wire)
    wire.close()


def test_only_what_a_filter_lets_through_is_kept(attachment: Attachment) -> None:
    wire = Sockets(attachment).l3(filter="udp")
    wire.send(IP(src=WEB_1, dst=DB_1) / ICMP())
    attachment.pass_until(NS_PER_S)
    assert not is_readable(wire)
    wire.close()


def test_sends_are_a_tenth_of_a_millisecond_apart(attachment: Attachment) -> None:
    wire = Sockets(attachment).l3()
    packets = [IP(src=WEB_1, dst=DB_1) / UDP(sport=k, dport=53) for k in range(3)]
    for packet in packets:
        wire.send(packet)
    assert [round((packet.sent_time - packets[0].sent_time) * NS_PER_S) for packet in packets] == [0, 100_000, 200_000]
    wire.close()
    assert attachment.emulator.totals().in_flight == 0, "closing lets them arrive"


def test_the_tap_and_the_waiting_are_gone_after_detaching(attachment: Attachment) -> None:
    emulator = attachment.emulator
    attachment.detach()
    before = len(emulator.tapped())
    emulator.inject([bytes(IP(src=WEB_1, dst=DB_1) / ICMP())], attachment.instance.id, [emulator.now_ns])
    emulator.advance(NS_PER_S)
    assert len(emulator.tapped()) == before
    assert not emulator.recorded.on_tapped

"""Open ports and hand-made clients, who often say something wrong: the engine against the scalar twin."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from netsim.dataplane.batch import ACK, FIN, PROTO_TCP, PSH, RST, SYN, pack_tcp
from netsim.dataplane.disposition import Disposition
from netsim.dataplane.fib import ECHO_PROTO
from netsim.dataplane.tcp_numbers import initial_number
from tests.dataplane.experiment import Experiment, Outcome, Traffic, assert_same, run_engine, run_scalar
from tests.dataplane.network import Network
from tests.dataplane.random_talk import random_talk
from tests.dataplane.two_vpcs import A1, B1, End, both, ends, run, tcp, two_vpcs
from tests.reference.scalar_forward import Packet

MS, S = 1_000_000, 1_000_000_000
ISS = initial_number(B1, A1, 80, 4000)


def assert_equals_twin(seed: int, *, is_compiled: bool = False) -> None:
    experiment = random_talk(seed)
    cuts = np.random.default_rng(seed).integers(1, 3 * S, 4).tolist() if seed % 2 else []
    expected = run_scalar(experiment, cuts)
    assert_same(run_engine(experiment, cuts, is_compiled=is_compiled), expected, f"seed {seed}")


@pytest.mark.parametrize("first", range(0, 300, 30))
def test_every_answer_equals_the_scalar_twin(first: int) -> None:
    for seed in range(first, first + 30):
        assert_equals_twin(seed)


@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(0, 300, 100))
def test_every_answer_of_compiled_kernels_does_too(first: int) -> None:
    for seed in range(first, first + 100):
        assert_equals_twin(seed, is_compiled=True)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_kernels")
@pytest.mark.parametrize("first", range(1000, 4000, 200))
def test_and_so_on_in_thousands_of_other_talks(first: int) -> None:
    for seed in range(first, first + 200):
        assert_equals_twin(seed, is_compiled=True)


# ------------------------------------------------------------------------------------ one talk, word by word


def echo_vpcs(**shape: int) -> Network:
    network = two_vpcs(**shape)
    network.instances[1].ports = sorted([*network.instances[1].ports, (ECHO_PROTO, 80)])
    return network


def said(flags: int, at: int, ack: int, length: int = 0, **changes: int) -> tuple[Packet, int]:
    """A segment of a1's to b1's port 80; offsets from 0, its own first number, and from ISS."""
    packet = Packet(A1, B1, PROTO_TCP, 40 + length, l4=pack_tcp(4000, 80, flags), watch=1, tcp_seq=at, window=65_535)
    return replace(packet, tcp_ack=(ISS + ack) % 2**32 if flags & ACK else 0, **changes), length


def talk(network: Network, *script: tuple[int, tuple[Packet, int]], end_ns: int = S) -> Outcome:
    """What comes of segments said at these times; twin and engine agree."""
    traffic = Traffic(0, 1, None, [at_ns for at_ns, _ in script], rows=list(range(len(script))))
    return both(Experiment(network, [traffic], end_ns, [(*what, 0) for _, what in script]))


def heard(outcome: Outcome) -> list[End]:
    """What a1 got back."""
    return [end for end in ends(outcome) if end.dst == A1 and end.disposition == Disposition.DELIVERED]


def test_a_conversation_from_first_to_last_word() -> None:
    outcome = talk(
        echo_vpcs(),
        (0, said(SYN, 0, 0, ts_echo=1000)),
        (10 * MS, said(ACK, 1, 1)),
        (11 * MS, said(ACK | PSH, 1, 1, 1400)),
        (20 * MS, said(FIN | ACK, 1401, 1401)),
        (30 * MS, said(ACK, 1402, 1402)),
        (40 * MS, said(ACK, 1402, 1402)),
    )
    got = [((end.l4 >> 32), (end.tcp_seq - ISS) % 2**32, end.tcp_ack, end.size, end.seq) for end in heard(outcome)]
    assert got == [
        (SYN | ACK, 0, 1, 44, 0),
        (ACK, 1, 1401, 1040, 2),  # its MSS was 1,000
        (ACK | PSH, 1001, 1401, 440, 2),
        (FIN | ACK, 1401, 1402, 40, 3),
        (RST, 1402, 0, 40, 5),  # after the last word nobody is there
    ]
    assert {end.window for end in heard(outcome)} == {65_535, 0}


def test_a_peer_that_names_no_mss_gets_536_bytes_at_a_time() -> None:
    """RFC 9293 section 3.7.1."""
    outcome = talk(
        echo_vpcs(), (0, said(SYN, 0, 0)), (10 * MS, said(ACK, 1, 1)), (11 * MS, said(ACK | PSH, 1, 1, 1400))
    )
    assert [end.size for end in heard(outcome)][:4] == [44, 576, 576, 368]


def test_answers_too_large_for_the_path_are_sent_again_in_smaller_pieces() -> None:
    network = echo_vpcs()
    network.links[1].mtu_bytes = 300
    outcome = talk(
        network,
        (0, said(SYN, 0, 0, ts_echo=1460)),
        (10 * MS, said(ACK, 1, 1)),
        (11 * MS, said(ACK | PSH, 1, 1, 1000)),
        (20 * MS, said(ACK, 1001, 1001)),
    )
    assert [end.size for end in heard(outcome)] == [44, 300, 300, 300, 260]


def test_what_is_not_acknowledged_is_said_again() -> None:
    """After 1 s and then twice as long each time: without timestamps nothing measures the path."""
    outcome = talk(
        echo_vpcs(),
        (0, said(SYN, 0, 0)),
        (10 * MS, said(ACK, 1, 1)),
        (11 * MS, said(ACK | PSH, 1, 1, 100)),
        end_ns=8 * S,
    )
    at_ns = [end.sent_at for end in heard(outcome) if end.size == 140]
    assert [(b - a) // S for a, b in pairwise(at_ns)] == [1, 2, 4]


def test_a_lost_goodbye_is_repeated_though_the_window_is_shut() -> None:
    """A FIN takes no room in it."""
    outcome = talk(
        two_vpcs(),
        (0, said(SYN, 0, 0, window=0)),
        (10 * MS, said(ACK, 1, 1, window=0)),
        (20 * MS, said(FIN | ACK, 1, 1, window=0)),
        end_ns=4 * S,
    )
    assert [end.l4 >> 32 for end in heard(outcome)] == [SYN | ACK, FIN | ACK, FIN | ACK, FIN | ACK]


def test_a_reset_ends_it() -> None:
    outcome = talk(
        two_vpcs(), (0, said(SYN, 0, 0)), (10 * MS, said(ACK, 1, 1)), (11 * MS, said(RST, 1, 0)),
        (20 * MS, said(ACK | PSH, 1, 1, 9)),
    )  # fmt: skip
    assert [end.l4 >> 32 for end in heard(outcome)] == [SYN | ACK, RST]


def test_beyond_1024_conversations_the_oldest_half_open_makes_room() -> None:
    """A SYN flood: 1,030 half-open ones; the first six have lost theirs, the last six have it."""
    script = []
    for port in range(1, 1031):
        packet, _ = said(SYN, 0, 0)
        script.append((port * MS // 10, (replace(packet, l4=pack_tcp(port, 80, SYN), watch=0), 0)))
    for port in (6, 7, 1030):
        packet, _ = said(ACK, 1, 0)
        ack = initial_number(B1, A1, 80, port) + 1
        script.append((200 * MS, (replace(packet, l4=pack_tcp(port, 80, ACK), tcp_ack=ack % 2**32), 0)))
    outcome = talk(two_vpcs(), *script, end_ns=300 * MS)
    assert [(end.l4 >> 16 & 0xFFFF, end.l4 >> 32) for end in heard(outcome)] == [(6, RST)]


def test_a_port_does_not_talk_to_itself() -> None:
    """A SYN with the port's own address and number as source gets one SYN-ACK, which nobody takes up."""
    syn = tcp(SYN, src=B1, dst=B1, l4=pack_tcp(80, 80, SYN))
    outcome = run(two_vpcs(), syn, inst=1, end_ns=500_000_000)
    assert outcome.injected[1] == 2

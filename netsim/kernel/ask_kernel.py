"""What the kernel does with questions: their packets leave from the instances' namespaces by raw sockets.

Every node has a raw socket for each protocol, which gets what the kernel delivers there, as it arrived: questions,
and what is said to them. Open ports are real ones, and the kernel's own protocols answer. Behind each gateway a packet
socket sees what leaves.

Questions go out in bunches that no queue of the network is too short for, and the next bunch when all that is wanted
of the last has come, or when it has had its time.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterable, Iterator

from netsim.controlplane.inventory import Inventory
from netsim.kernel.namespace import inside
from netsim.kernel.places import Places
from netsim.kernel.question import BIG_BYTES, OPEN_PORT, Outcome, Outcomes, Question
from netsim.prefix import format_addr

IP_MTU_DISCOVER, PMTUDISC_INTERFACE = 10, 4  # linux/in.h
SO_RCVBUFFORCE = 33  # asm/socket.h
ETH_P_IP = 0x0800
RECEIVE_BYTES = 1 << 22

PATIENCE_S = 1.5
"""How long what is wanted may take, longer than the kernel needs to find out that nobody has an address. A tenth of it
is waited, at the end, for what is not wanted.
"""

_LARGEST_BUNCH_BYTES = 200_000


class Kernel:
    """Asks a deployed network; a context manager, which holds the sockets.

    Args:
        inventory, places: what is deployed.
    """

    def __init__(self, inventory: Inventory, places: Places) -> None:
        self._places = places
        self._stack = contextlib.ExitStack()
        self._where: dict[int, tuple[str, socket.socket]] = {}
        self._poll = select.poll()
        self._senders: dict[str, socket.socket] = {}
        queues = [
            conn.burst_bytes // 2 if conn.police else conn.queue_bytes // 4
            for conn in inventory.peer_conns.values()
            if conn.is_active
        ]
        self._bunch_bytes = min([_LARGEST_BUNCH_BYTES, *queues])

    def __enter__(self) -> Kernel:
        places = self._places
        try:
            for name, space in places.namespaces.items():
                with inside(space):
                    for proto in (socket.IPPROTO_ICMP, socket.IPPROTO_UDP, socket.IPPROTO_TCP):
                        self._listen(name, socket.socket(socket.AF_INET, socket.SOCK_RAW, proto))
            for name, space, device in places.gateways:
                with inside(space):
                    behind = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
                    self._listen(name, behind)
                    behind.bind((device, ETH_P_IP))
            for instance_id, name in places.instances.items():
                with inside(places.namespaces[name]):
                    self._senders[instance_id] = self._kept(
                        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
                    )
                    self._open_ports()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self, questions: list[Question], wanted: list[Outcome], patience_s: float) -> list[Outcome]:
        """The outcome of each question; `wanted` is what is expected, so that nothing is waited for needlessly."""
        outcomes = Outcomes(questions)
        waits_s = patience_s
        for bunch in self._bunches(questions):
            for k in bunch:
                self._send(questions[k], k, outcomes)
            # That nobody has an address of its own subnet the sender finds out by itself, in its own time.
            crossing = [k for k in bunch if wanted[k].sender != questions[k].src]
            if not self._receive(outcomes, wanted, crossing, waits_s):
                waits_s = max(waits_s / 2, patience_s / 10)  # where much is wrong, not each bunch gets all the time
        self._receive(outcomes, wanted, range(len(questions)), patience_s)
        self._receive_until(outcomes, time.monotonic() + patience_s / 10)
        return outcomes.found

    # ---------------------------------------------------------------------------- sockets

    def _kept(self, made: socket.socket) -> socket.socket:
        self._stack.callback(made.close)
        return made

    def _listen(self, name: str, made: socket.socket) -> None:
        self._kept(made)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
        if made.family == socket.AF_INET:
            # What a 3/4 says stays without effect on the questions that follow.
            made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_INTERFACE)
        self._where[made.fileno()] = (name, made)
        self._poll.register(made, select.POLLIN)

    def _open_ports(self) -> None:
        datagrams = self._kept(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("", OPEN_PORT))
        listener = self._kept(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.bind(("", OPEN_PORT))
        listener.listen(4096)

    # ---------------------------------------------------------------------------- asking

    def _bunches(self, questions: list[Question]) -> Iterator[range]:
        first = size_bytes = 0
        for k, question in enumerate(questions):
            if size_bytes > self._bunch_bytes:
                yield range(first, k)
                first, size_bytes = k, 0
            # What is said to it is as large as it is, or 576 bytes of an error.
            size_bytes += question.size_bytes + 100
        if first < len(questions):
            yield range(first, len(questions))

    def _send(self, question: Question, k: int, outcomes: Outcomes) -> None:
        try:
            self._senders[question.source_id].sendto(question.packet(k + 1), (format_addr(question.dst), 0))
        except OSError as error:
            outcomes.refused(k, error.strerror or str(error))

    def _receive(self, outcomes: Outcomes, wanted: list[Outcome], numbers: Iterable[int], patience_s: float) -> bool:
        """Wait for what is wanted of these questions; whether it all came."""
        deadline = time.monotonic() + patience_s
        missing = {k for k in numbers if not _has_all(outcomes.found[k], wanted[k])}
        while missing and (left_s := deadline - time.monotonic()) > 0:
            for fd, _ in self._poll.poll(left_s * 1000):
                for k in self._drain(fd, outcomes):
                    if k in missing and _has_all(outcomes.found[k], wanted[k]):
                        missing.discard(k)
        return not missing

    def _receive_until(self, outcomes: Outcomes, deadline: float) -> None:
        while (left_s := deadline - time.monotonic()) > 0:
            for fd, _ in self._poll.poll(left_s * 1000):
                for _ in self._drain(fd, outcomes):
                    pass

    def _drain(self, fd: int, outcomes: Outcomes) -> Iterator[int]:
        name, received = self._where[fd]
        while True:
            try:
                raw = received.recv(2 * BIG_BYTES)
            except BlockingIOError:
                return
            k = outcomes.add(name, raw)
            if k is not None:
                yield k


def _has_all(found: Outcome, wanted: Outcome) -> bool:
    """Whether everything has come that is wanted; it may still be the wrong thing."""
    return bool(found.arrived_at) >= bool(wanted.arrived_at) and bool(found.answer) >= bool(wanted.answer)

"""Attachment: one instance's interface in the hands of a program, and packet time at its pace.

A program on an instance sends, waits, and sends again. Here packet time stands still while the
program works, and passes while it waits for packets: so a wait costs no wall time, and how fast
this machine is changes nothing. What passes the instance's interface is offered to every open
`Port`.

Who lets time pass: the thread that attached and every thread that has sent, sniffers aside. A
thread that only listens waits for what the others cause, and time waits until it has read it.
Waiting ends with end-of-file where a packet can't come any more: nothing is on its way, or
nothing came for `PATIENCE_NS` of packet time.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim.controlplane.instance import Instance
from netsim.dataplane import trace
from netsim.dataplane.batch import COLUMNS
from netsim.dataplane.row import FLOW, SEQ
from netsim.emulator import Emulator
from netsim.errors import UsageError
from netsim.units import NS_PER_MS, NS_PER_S
from netsim.wire.link_layer import Frame, LinkLayer
from netsim.wire.port import Port
from netsim.wire.recording import Recording

PATIENCE_NS = 10 * NS_PER_S
"""How long, of packet time, a wait without a time-out goes on while nothing comes."""
SEND_GAP_NS = 100_000
"""A program's sends are at least this far apart: some 10,000 packets a second, what scapy manages."""
IDLE_STEP_NS = 5 * NS_PER_MS
READERS_S = 2.0
"""Longest wait, of wall time, for other threads to read what came."""
SNIFFER = "AsyncSniffer"
"""The name scapy gives to threads that only listen."""
LOOK_S = 0.02
"""How often, of wall time, a waiting thread looks whether others can still send."""

Ints = NDArray[np.int64]


class Attachment:
    """One instance's interface.

    Args:
        emulator: where; while attached, only one thread at a time advances it.
        instance: whose interface.
    """

    def __init__(self, emulator: Emulator, instance: Instance) -> None:
        self.emulator = emulator
        self.instance = instance
        self.lock = threading.RLock()
        self.link = LinkLayer(emulator.inventory, instance)
        self.owner = threading.current_thread()
        self.is_over = False
        self._threads_before = set(threading.enumerate())
        self._starting: set[threading.Thread] = set()
        self._senders = {self.owner}
        self._ports: list[Port] = []
        self._inst = emulator.compiler.inst_of[instance.id]
        self._flow = emulator.hand_flow(instance.id)
        self._unsettled: dict[int, int] = {}
        self._last_sent_ns = -SEND_GAP_NS
        self._was_tapped = emulator.engine.is_tapped(self._inst)
        emulator.engine.tap_instance(self._inst)
        emulator.recorded.on_tapped.append(self._on_tapped)

    @property
    def now_ns(self) -> int:
        """Packet time."""
        return self.emulator.now_ns

    def detach(self) -> None:
        """End all waiting; nothing can be sent from now on."""
        with self.lock:
            self.is_over = True
            self.emulator.recorded.on_tapped.remove(self._on_tapped)
            if not (
                self._was_tapped or (isinstance(self.emulator, Recording) and self.emulator.is_captured(self._inst))
            ):
                self.emulator.engine.tap_instance(self._inst, False)
            for port in self._ports:
                port.end()
            readers = {port.reader for port in self._ports}
        self._await_ends(readers)

    def _await_ends(self, readers: set[threading.Thread | None]) -> None:
        """Let threads that read come to their end of file: an automaton that the end of the program
        overtakes is one that scapy waits for without end.
        """
        give_up = time.monotonic() + READERS_S
        for thread in readers - {self.owner, threading.current_thread()}:
            if thread is not None:
                thread.join(max(give_up - time.monotonic(), 0))

    # -- ports ----------------------------------------------------------------------------

    def open(self, port: Port) -> None:
        """Offer to this port what passes from now on."""
        with self.lock:
            self._ports.append(port)
            if self.is_over:
                port.end()

    def close(self, port: Port) -> None:
        """Offer it nothing more; if it only sent, what it sent arrives first."""
        with self.lock:
            if port.has_sent and not port.has_waited and not self.is_over:
                self.settle()
            if port in self._ports:
                self._ports.remove(port)
        if port.has_sent:
            self._await_readers()

    def _offer(self, frame: Frame) -> None:
        for port in self._ports:
            port.offer(frame)

    def _on_tapped(self, rows: Ints) -> None:
        if not self._ports:
            return
        events = rows[:, trace.J_EVENT]
        mine = (rows[:, trace.J_PLACE] == self._inst) & (
            (events == trace.TAP_RECEIVED) | ((events == trace.TAP_SENT) & (rows[:, trace.J_A] == 0))
        )
        for values in rows[mine].tolist():
            row = dict(zip(COLUMNS, values, strict=False))
            raw = self.emulator.bytes_of(row)
            if raw:
                is_outgoing = values[trace.J_EVENT] == trace.TAP_SENT
                self._offer(self.link.frame(values[0], raw, is_outgoing=is_outgoing))

    # -- sending --------------------------------------------------------------------------

    def send(self, raw: bytes | None, port: Port) -> int:
        """Send an IP packet now; packet time of that, ns.

        Raises:
            UsageError: the program was detached.
        """
        self._await_starting()
        with self.lock:
            if self.is_over:
                raise UsageError(f"scapy is no longer attached to {self.instance.name}: it can't send")
            if self.now_ns < self._last_sent_ns + SEND_GAP_NS:
                self.pass_until(self._last_sent_ns + SEND_GAP_NS)
            self._senders.add(threading.current_thread())
            port.has_sent = True
            at_ns = self._last_sent_ns = self.now_ns
            (seq,) = self.emulator.inject([raw], self.instance.id, [at_ns]).tolist()
            self._unsettled[seq] = 1
            return at_ns

    def ask_link(self, request: bytes, port: Port) -> int:
        """Send an ARP request; who has the address answers at once. Packet time, ns."""
        with self.lock:
            port.has_sent = True
            answer = self.link.arp_answer(self.now_ns, request)
            if answer is not None:
                self._offer(answer)
            return self.now_ns

    def _await_starting(self) -> None:
        """Let sniffers that other threads are just starting open their ports, as a person would."""
        current = threading.current_thread()
        for thread in threading.enumerate():
            if thread.name == SNIFFER and thread is not current and thread not in self._starting:
                self._starting.add(thread)
                give_up = time.monotonic() + READERS_S
                while thread.is_alive() and time.monotonic() < give_up and not self._reads(thread):
                    time.sleep(0.001)

    def _reads(self, thread: threading.Thread) -> bool:
        return any(port.reader is thread for port in list(self._ports))

    def _await_readers(self) -> None:
        """Let other threads work on what came; a reader itself waits for nobody."""
        current = threading.current_thread()
        if any(port.reader is current for port in self._ports) and current is not self.owner:
            return
        give_up = time.monotonic() + READERS_S
        while time.monotonic() < give_up and not all(port.is_drained for port in self._ports_of_others()):
            time.sleep(0.001)

    def _ports_of_others(self) -> list[Port]:
        mine = (threading.current_thread(), self.owner)
        return [port for port in self._ports if port.reader not in mine]

    # -- time -----------------------------------------------------------------------------

    def pass_until(self, until_ns: int) -> None:
        """Let packet time pass until then; ports fill."""
        with self.lock:
            self.emulator.advance(max(until_ns, self.now_ns))
            self._read_journal()

    def sleep(self, duration_ns: int) -> None:
        """Let time pass, after other threads have done what they are about to."""
        give_up = time.monotonic() + READERS_S
        while self._others_may_send() and time.monotonic() < give_up:
            time.sleep(0.001)
        self.pass_until(self.now_ns + duration_ns)
        self._await_readers()

    def settle(self) -> None:
        """Let time pass until what was sent, and all it caused, has ended; at most `PATIENCE_NS`."""
        with self.lock:
            limit_ns = self.now_ns + PATIENCE_NS
            while self._unsettled and self._step(limit_ns):
                pass
            self._unsettled.clear()

    def _step(self, limit_ns: int) -> bool:
        """Pass on to the next event before `limit_ns`, False if there is none any more."""
        next_ns = self.emulator.engine.next_event_ns()
        if next_ns is None:
            if not any(flow.source is not None for flow in self.emulator.flows):
                return False
            next_ns = self.now_ns + IDLE_STEP_NS
        if next_ns >= limit_ns:
            return False
        self.pass_until(next_ns + 1)
        return True

    def _read_journal(self) -> None:
        rows = self.emulator.take_journal()
        for values in rows[rows[:, FLOW] == self._flow].tolist():
            seq, event = values[SEQ], values[trace.J_EVENT]
            if seq not in self._unsettled:
                continue
            if event in (trace.ANSWERED, trace.ERROR_MADE):
                self._unsettled[seq] += 1
            elif event == trace.FRAGMENTED:
                self._unsettled[seq] += values[trace.J_A] - 1
            elif event == trace.ENDED:
                self._unsettled[seq] -= 1
        # At one instant a packet may end before what it causes is made.
        self._unsettled = {seq: n for seq, n in self._unsettled.items() if n}

    # -- waiting --------------------------------------------------------------------------

    def wait(self, selected: Sequence[Any], ports: Sequence[Port], remain_s: float | None) -> list[Any]:
        """Wait until one of `selected` (objects with `fileno`, the ports' among them) is readable.

        Args:
            selected: what to look at.
            ports: the ports among them.
            remain_s: how long at most: packet time for a thread that lets it pass, else wall time.

        Returns:
            Those that are readable, [] when the time is over.
        """
        current = threading.current_thread()
        for port in ports:
            port.has_waited, port.reader, port.is_idle = True, current, True
        try:
            if current in self._senders and current.name != SNIFFER:
                return self._drive(selected, ports, remain_s)
            return self._watch(selected, ports, remain_s)
        finally:
            for port in ports:
                port.is_idle = False

    def _drive(self, selected: Sequence[Any], ports: Sequence[Port], remain_s: float | None) -> list[Any]:
        """Wait, and let packet time pass."""
        self._await_starting()
        is_owner = threading.current_thread() is self.owner
        limit_ns = self.now_ns + (PATIENCE_NS if remain_s is None else max(round(remain_s * NS_PER_S), 0))
        others_until = None if remain_s is None else time.monotonic() + remain_s
        while True:
            if is_owner:
                self._await_readers()  # what they do because of it happens at this moment
            with self.lock:
                ready = select.select(selected, [], [], 0)[0]
                if ready:
                    return ready
                if self._step(limit_ns):
                    continue
            if others_until is None and not is_owner and all(port.is_listener for port in ports):
                return self._watch(selected, ports, None)  # its program may be told to go on by others
            if self._others_may_send() and (others_until is None or time.monotonic() < others_until):
                self._watch(selected, ports, LOOK_S)
                limit_ns = max(limit_ns, self.now_ns + PATIENCE_NS) if others_until is None else limit_ns
            elif others_until is not None:
                self.pass_until(limit_ns)
                return select.select(selected, [], [], 0)[0]
            else:
                for port in ports:
                    port.end()

    def _watch(self, selected: Sequence[Any], ports: Sequence[Port], remain_s: float | None) -> list[Any]:
        """Wait, in wall time, for what other threads cause."""
        for port in ports:
            port.is_waited_for = True
        try:
            return select.select(selected, [], [], remain_s)[0]
        finally:
            for port in ports:
                port.is_waited_for = False

    def _others_may_send(self) -> bool:
        """Whether a thread that was started since the attachment works on something."""
        waiting = {port.reader for port in self._ports if port.is_waited_for}
        mine = {threading.current_thread(), self.owner}
        return any(
            thread.is_alive() for thread in threading.enumerate() if thread not in self._threads_before | waiting | mine
        )

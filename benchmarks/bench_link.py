"""How fast is the kernel of one link beside the same in C?

    python -m benchmarks.bench_link [--quick]

The kernel is `dataplane.link.offer` compiled by numba, the peer `peers/link.c` on the same layout,
compiled here by gcc -O3. Both get the same arrivals: 64 to 1500 bytes, 1.1 times the cap, so that some
wait and some are dropped. Departures must be equal to the nanosecond.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import AbsentError, Plan, Row, Sample, Side, Stopwatch, compare, standalone
from netsim import jit
from netsim.dataplane.drop_tail import S_RING, S_TOKENS, STATE_WORDS
from netsim.dataplane.fib import (
    K_ACTIVE,
    K_BURST_NANOBITS,
    K_DELAY_NS,
    K_FULL_AFTER_NS,
    K_QUEUE_BYTES,
    K_RATE_BPS,
    LINK_WORDS,
)
from netsim.dataplane.link import offer
from netsim.dataplane.ring import CHUNK, R_TAIL, R_TAIL_SLOT, RING_WORDS, next_slot
from netsim.dataplane.row import WORDS
from netsim.dataplane.token_bucket import NANOBITS_PER_BYTE, fill_ns
from netsim.jit import kernel

Ints = NDArray[np.int64]

RATE_BPS = 10**9
BURST_BYTES, QUEUE_BYTES, DELAY_NS = 125_000, 250_000, 500_000
CAPACITY = 1 << 14
SOURCE = Path(__file__).parent / "peers" / "link.c"


@kernel(is_inline=False)
def offer_all(
    link: Any, state: Any, rings: Any, pool: Any, chunks: Any, at_ns: Any, size_bytes: Any, departs_ns: Any
) -> int:
    """Offer every packet to link 0; how many were dropped."""
    dropped = 0
    for i in range(len(at_ns)):
        departs = offer(link, state, rings, pool, chunks, 0, size_bytes[i], at_ns[i])
        if departs < 0:
            departs_ns[i] = -1
            dropped += 1
        else:
            departs_ns[i] = departs
            slot = rings[R_TAIL_SLOT]
            pool[slot * WORDS] = departs + link[K_DELAY_NS]
            pool[slot * WORDS + 1] = size_bytes[i] << 32
            rings[R_TAIL] += 1
            rings[R_TAIL_SLOT] = next_slot(chunks, slot)
    return dropped


def arrivals(n: int) -> tuple[Ints, Ints]:
    """Times and sizes."""
    rng = np.random.Generator(np.random.PCG64(4))
    size = rng.integers(64, 1501, n)
    gaps = rng.exponential(size.mean() * 8e9 / (1.1 * RATE_BPS), n).astype(np.int64)
    return np.cumsum(gaps), size


def circle() -> Ints:
    """A ring of chunks in order: where the one after each begins."""
    return np.roll(np.arange(0, CAPACITY, CHUNK), -1)


def run_ours(at_ns: Ints, size: Ints, departs: Ints) -> int:
    """A fresh link, all packets."""
    link, state, rings = np.zeros(LINK_WORDS, np.int64), np.zeros(STATE_WORDS, np.int64), np.zeros(RING_WORDS, np.int64)
    link[[K_ACTIVE, K_RATE_BPS, K_BURST_NANOBITS]] = 1, RATE_BPS, BURST_BYTES * NANOBITS_PER_BYTE
    link[[K_FULL_AFTER_NS, K_QUEUE_BYTES, K_DELAY_NS]] = fill_ns(RATE_BPS, BURST_BYTES), QUEUE_BYTES, DELAY_NS
    state[[S_TOKENS, S_RING]] = link[K_BURST_NANOBITS], 0
    chunks = circle()
    pool = np.zeros(CAPACITY * WORDS, np.int64)
    return int(jit.compiled(offer_all)(link, state, rings, pool, chunks, at_ns, size, departs))


def compile_c(folder: Path) -> Callable[[Ints, Ints, Ints], int]:
    """The C form as a function of the same arrays.

    Raises:
        AbsentError: no gcc.
    """
    if shutil.which("gcc") is None:
        raise AbsentError("apt-get install gcc")
    library = folder / "link.so"
    subprocess.run(["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    function = ctypes.CDLL(str(library)).offer_all
    function.restype = ctypes.c_int64
    pointer = np.ctypeslib.ndpointer(np.int64, flags="C")
    number = ctypes.c_int64
    function.argtypes = [number, pointer, pointer, *[number] * 5, pointer, pointer, pointer]

    def run(at_ns: Ints, size: Ints, departs: Ints) -> int:
        pool, chunks = np.zeros(CAPACITY * WORDS, np.int64), circle()
        burst, full_after = BURST_BYTES * NANOBITS_PER_BYTE, fill_ns(RATE_BPS, BURST_BYTES)
        return int(
            function(len(at_ns), at_ns, size, RATE_BPS, burst, full_after, QUEUE_BYTES, DELAY_NS, pool, chunks, departs)
        )

    return run


def run(plan: Plan) -> list[Row]:
    """Against gcc."""
    at_ns, size = arrivals(plan.size(300_000, 5_000_000))
    departs = np.zeros(len(at_ns), np.int64)

    def side(function: Callable[[Ints, Ints, Ints], int]) -> Sample:
        watch = Stopwatch()
        dropped = function(at_ns, size, departs)
        return Sample(watch.seconds, len(at_ns), {"packets": len(at_ns), "dropped": dropped})

    side(run_ours)
    expected = departs.copy()
    with tempfile.TemporaryDirectory() as folder:
        peer: Side | AbsentError
        try:
            in_c = compile_c(Path(folder))
            side(in_c)
            assert (departs == expected).all(), "C and netsim disagree on departures"
            peer = Side("C", lambda: side(in_c))
        except AbsentError as absent:
            peer = absent
        return compare(
            "one link kernel",
            "packets/s",
            Side("netsim", lambda: side(run_ours)),
            [(peer, "C, gcc -O3", 0.8)],
            plan.rounds,
        )


if __name__ == "__main__":
    standalone(run, __doc__)

"""Kernels of several threads: where they meet, and how they add to what is common.

Plain kernels are alone, and both are trivial. Compiled ones let go of the interpreter and wait for each other
themselves, for some microseconds without a call of the system. Who waits longer lets others have the processor, so more
threads than processors are slow, not stuck.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

LINE_WORDS = 8
Y_ARRIVED, Y_MEETING, Y_STOP, Y_ABORT, Y_FIRST = (line * LINE_WORDS for line in range(5))
"""Words of a `sync` array, a cache line each: who has arrived, which meeting it is, whether someone stops, or failed,
then one line for each thread."""

SPINS = 2000
"""How often a thread looks before it lets others have the processor: some microseconds."""


def processors() -> int:
    """How many threads of this process can run at the same time."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sync_words(threads: int) -> int:
    """Length of the `sync` array, int64, of so many threads."""
    return Y_FIRST + threads * LINE_WORDS


def add_shared(column: Any, index: int, value: int) -> None:
    """`column[index] += value` where other threads may do so too; compiled, it is atomic."""
    column[index] += value


def meet(sync: Any, threads: int) -> None:
    """Wait until all threads are here, or one failed; what each wrote before, all see after."""
    del sync, threads


@cache
def compiled_forms() -> dict[Any, Any]:
    """`add_shared` and `meet` as compiled kernels have them."""
    import numba
    from numba import types
    from numba.extending import intrinsic

    from netsim.jit.columns import place_of
    from netsim.jit.linking import InnerCompiler

    @intrinsic  # type: ignore[untyped-decorator]
    def atomic_add(_: Any, column: Any, index: Any, value: Any) -> Any:
        del index, value

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = place_of(context, builder, signature.args[0], args[0], args[1])
            return builder.atomic_rmw("add", place, args[2], "seq_cst")

        return types.int64(column, types.int64, types.int64), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def atomic_load(_: Any, column: Any, index: Any) -> Any:
        del index

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load_atomic(place_of(context, builder, signature.args[0], args[0], args[1]), "acquire", 8)

        return types.int64(column, types.int64), generate

    sched_yield = types.ExternalFunction("sched_yield", types.int32())

    def add_shared_compiled(column: Any, index: int, value: int) -> None:
        atomic_add(column, index, value)

    def meet_compiled(sync: Any, threads: int) -> None:
        if threads == 1:
            return
        meeting = atomic_load(sync, Y_MEETING)
        if atomic_add(sync, Y_ARRIVED, 1) == threads - 1:
            atomic_add(sync, Y_ARRIVED, -threads)
            atomic_add(sync, Y_MEETING, 1)
            return
        spins = 0
        while atomic_load(sync, Y_MEETING) == meeting and atomic_load(sync, Y_ABORT) == 0:
            spins += 1
            if spins > SPINS:
                sched_yield()

    options: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "nogil": True, "pipeline_class": InnerCompiler}
    return {
        add_shared: numba.njit(**options)(add_shared_compiled),
        meet: numba.njit(**options)(meet_compiled),
    }

"""The one door to numba: `@kernel` marks a function that runs plain or compiled.

A kernel is one Python source with two speeds. Called by its name it runs plain, on ints and
memoryviews; `compiled(fn)` is the same source through numba, on ints and arrays. Both give
the same integers, because kernels keep to these rules:

* state comes as namedtuples of one-dimensional arrays; loads are widened with `i64(...)`
  where the column is narrower than 64 bits and the value enters arithmetic;
* int64 arithmetic only: no unsigned types, no floats, no products that can pass 2^63;
* no exceptions, no allocation, no globals but other kernels and int constants.

Plain kernels get their arrays through `plain_view`: a memoryview is indexed about three times
as fast as an array, gives Python ints (which never wrap), and refuses a value that does not
fit its column - so an overflow that would wrap silently when compiled is an error when plain.

Compiled, arrays are bare columns and a namedtuple of them is one pointer (`columns.py`), and kernels that
only kernels call are code to link in (`linking.py`): together that is a quarter of the time to compile. Nothing is
allocated, so nothing is counted (`_nrt=False`); divisors are never zero, so divisions are not checked
(`error_model="numpy"`).

numba's file cache watches only the file of the outermost function. The cache directory is
therefore named by a hash over all kernel sources.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

from netsim.jit.together import add_shared, compiled_forms, meet

F = TypeVar("F", bound=Callable[..., Any])

i64 = int
"""Widen a loaded value: Python's int in plain runs, numpy's int64 in compiled ones."""

_KERNELS: dict[Callable[..., Any], Any] = {}
_IS_INLINE: dict[Callable[..., Any], bool] = {}
_ENTRIES: dict[Callable[..., Any], Any] = {}


@overload
def kernel(fn: F) -> F: ...
@overload
def kernel(*, is_inline: bool) -> Callable[[F], F]: ...
def kernel(fn: F | None = None, *, is_inline: bool = True) -> F | Callable[[F], F]:
    """Mark a function as a kernel. It stays the plain function; see `compiled`.

    `is_inline=False` keeps a compiled kernel a call of its own: for entry points and what is rare and large.
    """

    def mark(fn: F) -> F:
        _KERNELS[fn] = None
        _IS_INLINE[fn] = is_inline
        return fn

    return mark if fn is None else mark(fn)


def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled form of a kernel, to be called from Python; compiles at its first call unless the cache has it."""
    run = _ENTRIES.get(fn)
    if run is None:
        from netsim.jit.columns import lend

        entry = _compile(fn, is_entry=True)

        def run(*args: Any) -> Any:
            return entry(*map(lend, args))

        _ENTRIES[fn] = run
    return run


def _inner(fn: Callable[..., Any]) -> Any:
    """The compiled form of a kernel, to be called from kernels."""
    dispatcher = _KERNELS[fn]
    if dispatcher is None:
        dispatcher = _KERNELS[fn] = _compile(fn, is_entry=False)
        _without_literals(dispatcher)
    return dispatcher


def _compile(fn: Callable[..., Any], *, is_entry: bool) -> Any:
    """numba's function over a copy of the kernel's globals in which each kernel is replaced by its compiled form."""
    import numba
    import numpy as np

    from netsim.jit.linking import InnerCompiler

    numba.config.CACHE_DIR = str(cache_dir())
    assert isinstance(fn, types.FunctionType)
    namespace = dict(fn.__globals__)
    for name in fn.__code__.co_names:
        value = namespace.get(name)
        if value is i64:
            namespace[name] = np.int64
        elif value is add_shared or value is meet:
            namespace[name] = compiled_forms()[value]
        elif isinstance(value, types.FunctionType) and value in _KERNELS:
            namespace[name] = _inner(value)
    twin = types.FunctionType(fn.__code__, namespace, fn.__name__, fn.__defaults__)
    twin.__module__ = fn.__module__
    twin.__qualname__ = fn.__qualname__
    options: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "nogil": True}
    if is_entry:
        options["cache"] = _can_cache()
    else:
        options |= {"forceinline": _IS_INLINE[fn], "pipeline_class": InnerCompiler}
    return numba.njit(**options)(twin)


def _without_literals(dispatcher: Any) -> None:
    """Let kernels be compiled once, not anew for each constant they are called with.

    The engine's kernels took 40 s to compile with such copies and 25 s without, on one loaded machine.
    """
    from numba import types as numba_types

    template_of = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return template_of([numba_types.unliteral(arg) for arg in args], kws)

    dispatcher.get_call_template = get_call_template


def plain_view(state: Any) -> Any:
    """The namedtuple `state` with each array as a writable memoryview of the same memory."""
    return type(state)(*[memoryview(column) for column in state])


def sources_key() -> str:
    """Hash over everything that decides what a compiled kernel does."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    folders = (package / "jit", package / "dataplane")
    for path in [package / "units.py", *(path for folder in folders for path in sorted(folder.glob("*.py")))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_dir() -> Path:
    """Where compiled kernels of exactly these sources are kept (not created here).

    `NETSIM_CACHE_DIR`, else `XDG_CACHE_HOME/netsim`, else `~/.cache/netsim`, else a folder of
    this user in the temporary directory (no HOME, or a read-only one). numba files a kernel under
    the path of its source, so the name tells the checkout too: another one's cache is of no use here.
    """
    place = hashlib.sha256(os.fsencode(Path(__file__).resolve())).hexdigest()[:8]
    return _cache_root() / f"kernels-{sources_key()}-{place}"


def has_cache(kernel_name: str = "run_until") -> bool:
    """Whether an earlier run left this kernel of these sources compiled, and this one may use it."""
    folder = cache_dir()
    return folder.is_dir() and _is_usable(folder) and any(folder.rglob(f"*.{kernel_name}-*.nbc"))


def _cache_root() -> Path:
    named = os.environ.get("NETSIM_CACHE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    home = os.environ.get("HOME")
    if base:
        return Path(base) / "netsim"
    if home and os.access(home, os.W_OK):
        return Path(home) / ".cache" / "netsim"
    return _shared_root()


def _shared_root() -> Path:
    return Path(tempfile.gettempdir()) / f"netsim-{os.getuid()}"


def _can_cache() -> bool:
    folder = cache_dir()
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return _is_usable(folder)


def _is_usable(folder: Path) -> bool:
    """Whether kernels may be kept in and loaded from this cache directory."""
    root = folder.parent
    if root == _shared_root():
        # What numba loads is code, and anyone could have made a folder of this name in a temporary directory.
        about = root.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
            return False
    return os.access(folder, os.W_OK)

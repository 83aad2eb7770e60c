"""How kernels that only kernels call are compiled: to code that is linked in, not to code that runs.

numba makes each function callable from Python and from C, optimises it with all it calls, and generates machine
code for it; then all of this once more inside each of its callers. A kernel inside another needs none of it: what is
compiled here stops at unoptimised LLVM code, and the entry point is optimised once, as a whole. That takes the kernels
of the event loop from 46 to 14 s of processor time.
"""

from __future__ import annotations

from typing import Any

from numba.core import funcdesc, lowering
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, DefaultPassBuilder, _LowerResult
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class InnerLibrary(JITCodeLibrary):  # type: ignore[misc]
    """Code of one kernel and of those it calls, as it left numba."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout  # noqa: SLF001

    def finalize(self) -> None:
        """Link in what is called, and leave it at that."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)  # noqa: SLF001
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)  # noqa: SLF001
        self._final_module.verify()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class InnerLowering(NativeLowering):  # type: ignore[misc]
    """Lower to a library that callers link in."""

    _name = "netsim_inner_lowering"

    def run_pass(self, state: Any) -> bool:
        """What numba's own pass does without wrappers and machine code."""
        target, library = state.targetctx, InnerLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library = library
        described = funcdesc.PythonFunctionDescriptor.from_specialized_function(
            state.func_ir, state.typemap, state.return_type, state.calltypes, mangler=target.mangler,
            inline=state.flags.forceinline, noalias=state.flags.noalias, abi_tags=[state.flags.get_mangle_string()],
        )  # fmt: skip
        with target.push_code_library(library):
            lower = lowering.Lower(target, library, described, state.func_ir, metadata=state.metadata)
            lower.lower()
            env, call_helper = lower.env, lower.call_helper
        library.finalize()
        # numba knows a compiled function by something built in that can be called; nobody calls this.
        stand_in: Any = [].append
        target.insert_user_function(stand_in, described, [library])
        state["cr"] = _LowerResult(described, call_helper, cfunc=stand_in, env=env)
        state.metadata["prune_stats"] = None
        state.metadata["llvm_pass_timings"] = library.recorded_timings
        return True


class InnerCompiler(Compiler):  # type: ignore[misc]
    """numba's compiler with `InnerLowering`."""

    def define_pipelines(self) -> list[Any]:
        """One pipeline: there is no other way to compile a kernel."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [
            (InnerLowering, what) if kind is NativeLowering else (kind, what) for kind, what in passes.passes
        ]
        passes.finalize()
        return [passes]

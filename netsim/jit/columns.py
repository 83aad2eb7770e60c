"""How compiled kernels see arrays: as bare columns, and a namedtuple of arrays as one pointer.

numba's own array is seven words passed by value, and each index is looked at for being negative. A
kernel that takes forty of them spends its calls on copying, and numba most of its time on compiling
the copies. Here a column is an address and a length, an index is what it is, and a namedtuple of arrays
is the address of a table of columns. That table stands still during a call; the compiler is told so and
reads each column's address once.

Only what kernels do with arrays is there: `a[i]`, `a[i] = v`, `len(a)`, `st.name`. A kernel that does more
does not compile.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
import numpy as np
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin, lower_getattr_generic
from numba.core.pythonapi import NativeValue, unbox
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global


class ColumnType(types.Type):
    """A one-dimensional contiguous array of numbers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"column({dtype})")


class RecordType(types.Type):
    """A namedtuple of columns: field names and element types."""

    def __init__(self, name: str, fields: tuple[tuple[str, Any], ...]) -> None:
        self.fields = fields
        self.places = {field: (place, dtype) for place, (field, dtype) in enumerate(fields)}
        super().__init__(f"record({name}: {', '.join(f'{field} {dtype}' for field, dtype in fields)})")


class Lent:
    """An array or a namedtuple of arrays on its way into a kernel: where it lies; keeps it alive."""

    __slots__ = ("_numba_type_", "address", "length", "owner")

    def __init__(self, kind: types.Type, address: int, length: int, owner: Any) -> None:
        self._numba_type_ = kind
        self.address = address
        self.length = length
        self.owner = owner


_COLUMN_TYPES: dict[Any, ColumnType] = {}
_RECORD_TYPES: dict[Any, RecordType] = {}
_LENT_LAST: dict[Any, Lent] = {}


def lend(value: Any) -> Any:
    """What a compiled kernel takes for this argument: numbers as they are."""
    if isinstance(value, np.ndarray):
        _check(value)
        return Lent(_column_type(value.dtype), value.ctypes.data, len(value), value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        known = _LENT_LAST.get(type(value))
        if known is not None and known.owner[1] is value:
            return known
        lent = _lend_record(value)
        if not any(column.flags.writeable for column in value):
            _LENT_LAST[type(value)] = lent  # what nobody may change does not move either
        return lent
    return value


def _lend_record(value: Any) -> Lent:
    table = np.empty(2 * len(value), np.int64)
    dtypes = []
    for place, column in enumerate(value):
        _check(column)
        table[2 * place] = column.__array_interface__["data"][0]
        table[2 * place + 1] = len(column)
        dtypes.append(column.dtype)
    key = type(value), *dtypes
    kind = _RECORD_TYPES.get(key)
    if kind is None:
        fields = tuple((name, _column_type(dtype).dtype) for name, dtype in zip(value._fields, dtypes, strict=True))
        kind = _RECORD_TYPES[key] = RecordType(type(value).__name__, fields)
    return Lent(kind, table.ctypes.data, len(value), (table, value))


def _check(column: Any) -> None:
    assert isinstance(column, np.ndarray), f"kernels take arrays, not {type(column).__name__}"
    assert column.ndim == 1, f"kernels take arrays of one dimension, not {column.ndim}"
    assert column.flags.c_contiguous and column.flags.aligned, "kernels take contiguous arrays"
    assert column.dtype.kind in "iu", f"kernels take arrays of integers, not of {column.dtype}"


def _column_type(dtype: Any) -> ColumnType:
    kind = _COLUMN_TYPES.get(dtype)
    if kind is None:
        kind = _COLUMN_TYPES[dtype] = ColumnType(numba.from_dtype(dtype))
    return kind


# -- what they are in a kernel ---------------------------------------------------------------


@register_default(ColumnType)
class _ColumnModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: ColumnType) -> None:
        members = [
            ("data", types.CPointer(kind.dtype)),  # type: ignore[attr-defined]
            ("length", types.intp),
        ]
        super().__init__(manager, kind, members)


@register_default(RecordType)
class _RecordModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: RecordType) -> None:
        super().__init__(manager, kind, cgutils.intp_t.as_pointer())


def _attribute_of(context: Any, obj: Any, name: str) -> Any:
    number = context.pyapi.object_getattr_string(obj, name)
    value = context.pyapi.long_as_longlong(number)
    context.pyapi.decref(number)
    return value


@unbox(ColumnType)  # type: ignore[untyped-decorator]
def _unbox_column(kind: ColumnType, obj: Any, context: Any) -> NativeValue:
    column = cgutils.create_struct_proxy(kind)(context.context, context.builder)
    column.data = context.builder.inttoptr(_attribute_of(context, obj, "address"), column.data.type)
    column.length = _attribute_of(context, obj, "length")
    return NativeValue(column._getvalue())  # noqa: SLF001 - numba's name for it


@unbox(RecordType)  # type: ignore[untyped-decorator]
def _unbox_record(kind: RecordType, obj: Any, context: Any) -> NativeValue:
    del kind
    return NativeValue(context.builder.inttoptr(_attribute_of(context, obj, "address"), cgutils.intp_t.as_pointer()))


# -- st.name ---------------------------------------------------------------------------------


@infer_getattr
class _RecordAttributes(AttributeTemplate):  # type: ignore[misc]
    key = RecordType

    def generic_resolve(self, record: RecordType, name: str) -> ColumnType | None:
        if name not in record.places:
            return None
        return ColumnType(record.places[name][1])


@lower_getattr_generic(RecordType)  # type: ignore[untyped-decorator]
def _lower_attribute(context: Any, builder: Any, kind: RecordType, record: Any, name: str) -> Any:
    place, dtype = kind.places[name]
    never_changes = builder.module.add_metadata([])

    def word(at: int) -> Any:
        loaded = builder.load(builder.gep(record, [cgutils.intp_t(at)]))
        loaded.set_metadata("invariant.load", never_changes)
        return loaded

    column = cgutils.create_struct_proxy(ColumnType(dtype))(context, builder)
    column.data = builder.inttoptr(word(2 * place), column.data.type)
    column.length = word(2 * place + 1)
    return column._getvalue()  # noqa: SLF001 - numba's name for it


# -- a[i], a[i] = v, len(a) ------------------------------------------------------------------


@infer_global(operator.getitem)
class _TypeOfItem(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        del kws
        if isinstance(args[0], ColumnType):
            return signature(args[0].dtype, args[0], types.intp)
        return None


@infer_global(operator.setitem)
class _TypeOfSetting(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        del kws
        if isinstance(args[0], ColumnType):
            return signature(types.none, args[0], types.intp, args[0].dtype)
        return None


@infer_global(len)
class _TypeOfLength(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        del kws
        if isinstance(args[0], ColumnType):
            return signature(types.intp, args[0])
        return None


def place_of(context: Any, builder: Any, kind: ColumnType, column: Any, index: Any) -> Any:
    """Pointer to an entry."""
    parts = cgutils.create_struct_proxy(kind)(context, builder, column)
    return builder.gep(parts.data, [index])


@lower_builtin(operator.getitem, ColumnType, types.intp)  # type: ignore[untyped-decorator]
def _lower_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(place_of(context, builder, sig.args[0], args[0], args[1]))


@lower_builtin(operator.setitem, ColumnType, types.intp, types.Any)  # type: ignore[untyped-decorator]
def _lower_setting(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], place_of(context, builder, sig.args[0], args[0], args[1]))
    return context.get_dummy_value()


@lower_builtin(len, ColumnType)  # type: ignore[untyped-decorator]
def _lower_length(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return cgutils.create_struct_proxy(sig.args[0])(context, builder, args[0]).length

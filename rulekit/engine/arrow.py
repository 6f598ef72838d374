"""Columns as Apache Arrow record batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rulekit.errors import RuleError, RulekitError, SourceError
from rulekit.rules.bound import BoundField
from rulekit.rules.output import parse_output
from rulekit.rules.output_template import OutputToken
from rulekit.state._columns import ColumnSet
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText

if TYPE_CHECKING:
    import pyarrow as pa

    from rulekit.engine._loop import EventLoop
    from rulekit.state._columns import Taken

# A column's texts have 32-bit offsets; a batch ends long before these run out.
MAX_BATCH_BYTES = 64 << 20


def open_batches(
    open_loop: Callable[[], EventLoop], fields: Sequence[str], batch_size: int
) -> pa.RecordBatchReader:
    """Return the fields of a loop's events as a reader of record batches.

    Raises:
        RulekitError: pyarrow is not installed.
        RuleError: A field cannot be used.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise RulekitError("to_arrow needs pyarrow: pip install 'rulekit[arrow]'") from None
    if batch_size < 1:
        raise RulekitError(f"batch_size is {batch_size}: say at least 1")
    if isinstance(fields, str):
        raise RulekitError("fields is a list of names")
    columns = ColumnSet([(name, bind_name(name)) for name in fields])
    types = [_type(kind, is_list) for kind, is_list in columns.kinds()]
    schema = pa.schema(list(zip(columns.names, types, strict=True)))
    return pa.RecordBatchReader.from_batches(
        schema, _batches(open_loop(), columns, schema, batch_size)
    )


def bind_name(name: str) -> BoundField:
    """Return a field by its name, with argument.

    Raises:
        RuleError: There is no such field, or it is more than a field.
    """
    template = parse_output(SourceText("field", f"%{name}"), "syscall")
    if isinstance(template, Diagnostic):
        raise RuleError(template.message, (template,))
    if len(template.parts) == 1:
        part = template.parts[0]
        if isinstance(part, OutputToken) and isinstance(part.operand, BoundField):
            return part.operand
    raise RuleError(f"{name!r} is not the name of a field")


def _batches(
    loop: EventLoop, columns: ColumnSet, schema: pa.Schema, batch_size: int
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    more: bool | None = True
    damage: SourceError | None = None
    try:
        while more is not None and damage is None:
            try:
                more = loop.collect(columns, batch_size, MAX_BATCH_BYTES)
            except SourceError as error:
                damage = error
            if more is True and damage is None:
                continue
            if columns.n_rows:
                n_rows = columns.n_rows
                arrays = [
                    _array(field.type, taken)
                    for field, taken in zip(schema, columns.take(), strict=True)
                ]
                batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
                assert batch.num_rows == n_rows or not arrays
                yield batch
    finally:
        loop.close()
    if damage is not None:
        raise damage


def _type(kind: str, is_list: bool) -> pa.DataType:
    import pyarrow as pa

    kinds = {
        "text": pa.string(), "bytes": pa.binary(), "int": pa.int64(), "uint": pa.uint64(),
        "bool": pa.bool_(), "double": pa.float64(),
    }  # fmt: skip
    item = kinds[kind]
    return pa.list_(item) if is_list else item


def _array(type: pa.DataType, taken: Taken) -> pa.Array:
    import pyarrow as pa

    n_rows, n_nulls, n_items, validity, rows, offsets, data = taken
    content: list[Any] = [None]
    if offsets is not None:
        content.append(pa.py_buffer(offsets))
    content.append(pa.py_buffer(data))
    known = pa.py_buffer(validity) if n_nulls else None
    if rows is None:
        return pa.Array.from_buffers(type, n_rows, [known, *content[1:]], n_nulls)
    items = pa.Array.from_buffers(type.value_type, n_items, content, 0)
    return pa.Array.from_buffers(type, n_rows, [known, pa.py_buffer(rows)], n_nulls, 0, [items])

"""The fast path for W3C logs: lines between two headers as CSV, meanings once per distinct value.

Lines it cannot vouch for are named, not guessed: they take the exact path.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipeline.dictionaries import codes_and_values
from pipeline.formats import W3cFormat
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table
from pipeline.ingest.fast_fields import Taken, read_columns

_MOST_HEADERS = 64  # in one block; a log with more is not worth it
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())

Mask = npt.NDArray[np.bool_]


def read_block(block: Block, known: W3cFormat, skip: Mask) -> tuple[pa.Table, Mask]:
    """Read a block's plain lines.

    Args:
        block: the lines.
        known: the format, as it is where the block begins.
        skip: lines to leave out (blank ones, and those that need care).

    Returns:
        Columns of LINE_SCHEMA for the lines it vouches for, in order, and which further lines need the exact path:
        directives are among them.
    """
    comments = np.flatnonzero(block.starting_with(known.comment))
    if len(comments) > _MOST_HEADERS:
        return line_table({}, 0), ~skip
    care = skip | block.holding(b'"')
    care[comments] = True
    tables = [line_table({}, 0)]
    is_read = np.zeros(len(block), dtype=np.bool_)
    for first, last, state in _runs(block, known, comments):
        table, vouched = _read_run(block, state, first, last, care[first:last])
        is_read[first:last] = vouched
        tables.append(table)
    return pa.concat_tables(tables).unify_dictionaries(), ~is_read & ~skip


def _runs(block: Block, known: W3cFormat, comments: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, W3cFormat]]:
    """Give the first and the last line, exclusive, of each run of lines under one header, and that header."""
    first = 0
    for comment in [*comments.tolist(), len(block)]:
        if comment > first and known.fields is not None:
            yield first, comment, known
        first = comment + 1
        if comment < len(block):
            known = known.after(block.line(comment).decode("utf-8", "replace"))


def _read_run(block: Block, known: W3cFormat, first: int, last: int, care: Mask) -> tuple[pa.Table, Mask]:
    """Read lines under one header, but for those that need care; return what is vouched for, and which lines it is."""
    end = len(block.data) if last == len(block) else int(block.starts[last])
    start = int(block.starts[first])
    run = Block(block.data[start:end], block.offset + start)
    separator = "\t" if b"\t" in run.data else " "
    is_read = np.zeros(len(run), dtype=np.bool_)
    plain = np.flatnonzero(~care)
    if not len(plain):
        return line_table({}, 0), is_read
    try:
        table, misfits = _as_csv(run.without(care), len(known.known), separator)
    except pa.ArrowInvalid:
        return line_table({}, 0), is_read
    if table.num_rows + len(misfits) != len(plain):
        return line_table({}, 0), is_read
    plain = np.delete(plain, misfits)
    vouched = np.ones(table.num_rows, dtype=np.bool_)
    fields = _fields(table, known, separator, vouched)
    columns = read_columns(fields, vouched)
    columns |= {"line_offset": pa.array(run.starts[plain] + run.offset), "line": run.lines(plain, vouched)}
    is_target = [fields[name][0] >= 0 for name in ("path", "target", "method") if name in fields]
    is_read[plain] = vouched = vouched & np.logical_or.reduce([np.zeros(len(plain), dtype=np.bool_), *is_target])
    return line_table(columns, len(plain)).filter(pa.array(vouched)), is_read


def _as_csv(data: bytes, width: int, separator: str) -> tuple[pa.Table, list[int]]:
    misfits: list[int] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        misfits.append(row.number - 1)
        return "skip"

    names = [str(place) for place in range(width)]
    table = pyarrow.csv.read_csv(
        pa.BufferReader(data),
        read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=separator, quote_char=False, ignore_empty_lines=False, invalid_row_handler=note
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, _DICTIONARY),
            null_values=["-"],
            strings_can_be_null=True,
            auto_dict_max_cardinality=1 << 30,
            check_utf8=False,
        ),
    )
    return table, misfits


def _fields(table: pa.Table, known: W3cFormat, separator: str, vouched: Mask) -> dict[str, Taken]:
    """Take the columns apart, each under its field's name; of one that occurs twice the first that is there counts."""
    fields: dict[str, Taken] = {}
    for name, column in zip(known.known, table.columns, strict=True):
        codes, values = codes_and_values(column)
        empty = pc.index(values, "").as_py()
        if empty >= 0 and separator == " ":
            vouched &= codes != empty  # two spaces are one separator
        elif empty >= 0:
            codes = np.where(codes == empty, -1, codes).astype(np.int32)
        values = _each(values, lambda value, name=name: known.decoded(name, value))
        if name in fields:
            before, others = fields[name]
            codes = np.where(before >= 0, before, np.where(codes >= 0, codes + len(others), -1)).astype(np.int32)
            values = pa.concat_arrays([others, values])
        fields[name] = (codes, values)
    if "time-taken" in fields:
        _name_time_taken(fields, known)
    _place_times(fields, known, table.num_rows)
    return fields


def _name_time_taken(fields: dict[str, Taken], known: W3cFormat) -> None:
    codes, values = fields.pop("time-taken")
    units = np.array([*(known.time_taken(value) for value in values.to_pylist()), ""], dtype=object)[codes]
    for name in sorted(set(units.tolist()) - {""}):
        fields[name] = (np.where(units == name, codes, -1).astype(np.int32), values)


def _place_times(fields: dict[str, Taken], known: W3cFormat, rows: int) -> None:
    """Give each line its day and its zone, those of the header where it has none."""
    codes, values = fields.get("date", (np.full(rows, -1, dtype=np.int32), pa.array([], pa.string())))
    days = [*(known.day(text) for text in values.to_pylist()), known.day(None)]
    place = np.where(codes < 0, len(values), codes)
    fields["date"] = codes_and_values(pa.array(days, pa.string()).take(pa.array(place)))
    fields["zone"] = (np.zeros(rows, dtype=np.int32), pa.array([known.line_zone]))


def _each(values: pa.Array, change: object) -> pa.Array:
    assert callable(change)
    return pa.array([change(value) for value in values.to_pylist()], pa.string())

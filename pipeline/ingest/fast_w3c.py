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

from pipeline.dictionaries import codes_and_values, from_codes
from pipeline.formats import W3cFormat
from pipeline.formats.fields import NUMBERS, TEXTS
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table
from pipeline.ingest.fast_fields import Taken, further_columns, number_column, time_columns

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
    columns, vouched = _meanings(table, known, separator)
    is_read[plain] = True
    columns |= {"line_offset": pa.array(run.starts[plain] + run.offset), "line": run.lines(is_read)}
    is_read[plain] = vouched
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


def _meanings(table: pa.Table, known: W3cFormat, separator: str) -> tuple[dict[str, pa.Array], Mask]:
    """Turn CSV columns into columns of LINE_SCHEMA, and say for which rows they hold."""
    vouched = np.ones(table.num_rows, dtype=np.bool_)
    fields = _fields(table, known, separator, vouched)
    columns = _instants(fields, known, vouched)
    if "path" in fields:
        fields["target"] = _targets(fields)
    further: dict[str, Taken] = {}
    for name, taken in fields.items():
        if name in NUMBERS:
            column, numbers = number_column(name, taken, vouched)
            columns[column] = numbers
        elif name in TEXTS:
            columns[name] = from_codes(*taken)
        else:
            further[name] = taken
    if further:
        columns |= further_columns(further, table.num_rows)
    is_request = np.zeros(table.num_rows, dtype=np.bool_)
    for name in ("target", "method"):
        if name in fields:
            is_request |= fields[name][0] >= 0
    return columns, vouched & is_request


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
    return fields


def _name_time_taken(fields: dict[str, Taken], known: W3cFormat) -> None:
    codes, values = fields.pop("time-taken")
    units = np.array([*(known.time_taken(value) for value in values.to_pylist()), ""], dtype=object)[codes]
    for name in sorted(set(units.tolist()) - {""}):
        fields[name] = (np.where(units == name, codes, -1).astype(np.int32), values)


def _instants(fields: dict[str, Taken], known: W3cFormat, vouched: Mask) -> dict[str, pa.Array]:
    """Read day and time of day, once for each distinct pair."""
    times, days = fields.pop("time_of_day", None), fields.pop("date", None)
    if times is None:
        vouched[:] = False
        return {}
    time_codes, time_values = times
    day_codes, day_values = days or (np.full(len(vouched), -1, dtype=np.int32), pa.array([], pa.string()))
    paired = (day_codes.astype(np.int64) + 1) * (len(time_values) + 1) + time_codes + 1
    distinct, codes = np.unique(paired, return_inverse=True)
    texts = []
    for pair in distinct.tolist():
        day, time = divmod(pair, len(time_values) + 1)
        written = known.day(day_values[day - 1].as_py() if day else None)
        texts.append(f"{written}T{time_values[time - 1].as_py()}{known.line_zone}" if written and time else "")
    return time_columns("time", (codes.astype(np.int32), pa.array(texts, pa.string())), vouched)


def _targets(fields: dict[str, Taken]) -> Taken:
    """Put path and query together; where there is no path, a target that was written whole stays."""
    path = from_codes(*fields.pop("path")).dictionary_decode()
    target = path
    if "query" in fields:
        query = from_codes(*fields.pop("query")).dictionary_decode()
        target = pc.if_else(pc.is_valid(query), pc.binary_join_element_wise(path, query, "?"), path)
    if "target" in fields:
        target = pc.coalesce(target, from_codes(*fields["target"]).dictionary_decode())
    return codes_and_values(target)


def _each(values: pa.Array, change: object) -> pa.Array:
    assert callable(change)
    return pa.array([change(value) for value in values.to_pylist()], pa.string())

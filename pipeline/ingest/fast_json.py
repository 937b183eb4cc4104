"""The fast path for JSON lines: those written alike as CSV with quotes between the columns, meanings once per value.

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
from pipeline.formats.fields import NUMBERS
from pipeline.formats.json_lines import ABSENT, JsonFormat
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table
from pipeline.ingest.fast_fields import Taken, add_further, number_column, time_columns
from pipeline.ingest.json_shapes import ESCAPED, QUOTE, Shape, find_shape, hide_escapes, unescape

_MOST_COUNTS, _MOST_SHAPES = 32, 16  # of quotes a line, and of shapes with as many: the rest takes the exact path
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
_NUMBER = r"\A-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\z"
_LITERALS = pa.array(["true", "false"])
_SPACES = b" " * 8

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


def read_block(block: Block, known: JsonFormat, skip: Mask) -> tuple[pa.Table, Mask]:
    """Read a block's plain lines.

    Args:
        block: the lines.
        known: their format.
        skip: lines to leave out (blank ones, and those that need care).

    Returns:
        Columns of LINE_SCHEMA for the lines it vouches for, in order, and which further lines need the exact path.
    """
    care = skip | _holding_controls(block)
    hidden = Block(hide_escapes(block.data), block.offset)
    read = []
    for shape, lines in _shapes(hidden, np.flatnonzero(~care)):
        is_chosen = np.zeros(len(block), dtype=np.bool_)
        is_chosen[lines] = True
        columns, vouched = _columns(_as_csv(hidden.without(~is_chosen), shape), shape, known, len(lines))
        columns["line_offset"] = pa.array(block.starts[lines] + block.offset)
        read.append(line_table(columns, len(lines)).filter(pa.array(vouched)))
    if not read:
        return line_table({}, 0), ~skip
    table = read[0]
    if len(read) > 1:
        table = pa.concat_tables(read).unify_dictionaries()
        table = table.take(pa.array(np.argsort(table["line_offset"].to_numpy(), kind="stable")))
    left = ~skip
    left[np.searchsorted(block.starts, table["line_offset"].to_numpy() - block.offset)] = False
    return table, left


def _holding_controls(block: Block) -> Mask:
    """Lines that hold a control character, which JSON does not allow."""
    chars = np.frombuffer(block.data, dtype=np.uint8)
    places = np.flatnonzero((chars < 32) & (chars != 10) & (chars != 13))
    holding = np.zeros(len(block), dtype=np.bool_)
    holding[np.searchsorted(block.starts, places, side="right") - 1] = True
    return holding


def _shapes(block: Block, lines: Places) -> Iterator[tuple[Shape, Places]]:
    """Part lines by how they are written, those with as many quotes together, the most first.

    Of many shapes some are left out. Lines from everywhere say which are tried, so that a few odd ones do no harm.
    """
    chars = block.data + _SPACES
    quotes = np.flatnonzero(np.frombuffer(block.data, dtype=np.uint8) == QUOTE[0])
    firsts = np.searchsorted(quotes, block.starts)
    counts = np.diff(np.append(firsts, len(quotes)))
    for count in _most_frequent(counts[lines]):
        left = lines[counts[lines] == count]
        for turn in range(_MOST_SHAPES):
            if not len(left):
                break
            tried = turn * len(left) // _MOST_SHAPES
            shape = find_shape(block.line(int(left[tried])))
            is_alike = np.arange(len(left)) == tried
            if shape is not None:
                places = quotes[firsts[left][:, None] + np.arange(count)]
                is_alike = shape.fits(chars, block.starts[left], block.ends[left], places)
                yield shape, left[is_alike]
            left = left[~is_alike]


def _most_frequent(counts: Places) -> list[int]:
    values, times = np.unique(counts, return_counts=True)
    chosen: list[int] = values[np.argsort(-times, kind="stable")][:_MOST_COUNTS].tolist()
    return chosen


def _as_csv(data: bytes, shape: Shape) -> pa.Table:
    """Read lines of a shape as CSV rows, of which only the values' columns are made."""
    names = [str(number) for number in range(len(shape.parts))]
    chosen = [str(member.part) for member in shape.members]
    return pyarrow.csv.read_csv(
        pa.BufferReader(data),
        read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=QUOTE.decode(), quote_char=False, double_quote=False, ignore_empty_lines=False
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=chosen,
            column_types=dict.fromkeys(chosen, _DICTIONARY),
            auto_dict_max_cardinality=1 << 30,
            check_utf8=False,
        ),
    )


def _columns(table: pa.Table, shape: Shape, known: JsonFormat, rows: int) -> tuple[dict[str, pa.Array], Mask]:
    """Read values as what their keys say."""
    columns: dict[str, pa.Array] = {}
    vouched = np.ones(rows, dtype=np.bool_)
    further: dict[str, Taken] = {}
    names = set()
    for member in shape.members:
        column = table[str(member.part)]
        is_text = member.before is None
        taken = _texts(column, vouched) if is_text else _scalars(column, member.before or b"", member.after, vouched)
        key = member.key.decode()
        name = known.keys.get(key)
        if name is None:
            further[key] = taken
            continue
        names.add(name)
        if name in known.needed:
            vouched &= taken[0] >= 0
        if pa.types.is_boolean(taken[1].type) or name == "request":
            vouched &= taken[0] < 0
        elif name == "time":
            columns |= time_columns(name, taken, vouched)
        elif name in NUMBERS:
            column_name, numbers = number_column(name, taken, vouched)
            columns[column_name] = numbers
        else:
            columns[name] = from_codes(*taken)
    if not set(known.needed) <= names:
        vouched[:] = False
    told = {key: taken for key, taken in further.items() if (taken[0] >= 0).any()}
    if told:
        add_further(columns, told, rows)
    return columns, vouched


def _texts(column: pa.ChunkedArray, vouched: Mask) -> Taken:
    """Take a column of texts apart; those that mean absence are null."""
    codes, values = codes_and_values(column)
    is_escaped = pc.match_substring_regex(values, ESCAPED).to_numpy(zero_copy_only=False)
    if is_escaped.any():
        read = [unescape(text) if is_so else text for text, is_so in zip(values.to_pylist(), is_escaped, strict=True)]
        is_read = np.array([text is not None for text in read], dtype=np.bool_)
        vouched &= is_read[codes]
        encoded = pa.array([text or "" for text in read], pa.string()).dictionary_encode()
        codes, values = encoded.indices.to_numpy().astype(np.int32)[codes], encoded.dictionary
    return _without(codes, values, pa.array(ABSENT))


def _scalars(column: pa.ChunkedArray, before: bytes, after: bytes, vouched: Mask) -> Taken:
    """Take a column of numbers, or of literals, apart: numbers are texts as they are written, null is absent."""
    codes, values = codes_and_values(column)
    is_framed = pc.and_(pc.starts_with(values, before.decode()), pc.ends_with(values, after.decode()))
    bare = pc.utf8_slice_codeunits(values, start=len(before), stop=-len(after))
    is_null = pc.equal(bare, "null")
    is_literal = pc.is_in(bare, _LITERALS)
    is_number = pc.match_substring_regex(bare, _NUMBER)
    has_literals = pc.any(is_literal).as_py()
    is_one_kind = pc.or_(is_null, is_literal if has_literals else is_number)
    vouched &= pc.and_(is_framed, is_one_kind).to_numpy(zero_copy_only=False)[codes]
    if has_literals:
        codes, bare = _without(codes, bare, pa.array(["null"]))
        return codes, pc.equal(bare, "true")
    return _without(codes, bare, pa.array(["null"]))


def _without(codes: npt.NDArray[np.int32], values: pa.Array, absent: pa.Array) -> Taken:
    """Make values that mean absence null."""
    is_absent = pc.is_in(values, absent).to_numpy(zero_copy_only=False)
    return (np.where(is_absent[codes], -1, codes).astype(np.int32) if is_absent.any() else codes), values

"""The fast path for space-separated formats: a block as CSV with dictionary columns, meanings once per distinct value.

Lines it cannot vouch for are named, not guessed: they take the exact path.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipeline.dictionaries import codes_and_values
from pipeline.formats.fields import ABSENT
from pipeline.formats.layout import Item, LayoutFormat
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table
from pipeline.ingest.fast_fields import Taken, read_columns, untold_rows

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
_POWERS = 10 ** np.arange(1, 19, dtype=np.int64)
_NUMBERS = {"status": pa.int16(), "bytes_sent": pa.int64()}
_QUOTE, _SPACE = ord('"'), ord(" ")
_ESCAPED, _HIDDEN = b'\\"', b"\x01"
Mask = npt.NDArray[np.bool_]


def read_block(block: Block, known: LayoutFormat, skip: Mask) -> tuple[pa.Table, Mask]:
    """Read a block's plain lines.

    Args:
        block: the lines.
        known: their format.
        skip: lines to leave out (blank ones, and those that need care).

    Returns:
        Columns of LINE_SCHEMA for the lines it vouches for, in order, and which further lines need the exact path.
    """
    as_written = block
    block, unhidable = _with_escaped_quotes_hidden(block)
    care = skip | unhidable | _misquoted(block, known)
    plain = np.flatnonzero(~care)
    if not len(plain):
        return line_table({}, 0), care & ~skip
    try:
        table, misfits = _as_csv(block.without(care), known)
    except pa.ArrowInvalid:
        return line_table({}, 0), ~skip
    if table.num_rows + len(misfits) != len(plain):
        return line_table({}, 0), ~skip
    care[plain[misfits]] = True
    plain = np.delete(plain, misfits)
    vouched = np.ones(table.num_rows, dtype=np.bool_)
    fields = _fields(table, known, vouched)
    columns = read_columns(fields, vouched) | _whole_numbers(table, vouched)
    columns["line_offset"] = pa.array(block.starts[plain] + block.offset)
    vouched &= _lengths(table, known) == (block.ends - block.starts)[plain]
    untold = untold_rows(fields, known, len(plain))
    if untold.any():
        columns["line"] = as_written.lines(plain, untold)
    parsed = line_table(columns, len(plain))
    if not vouched.all():
        parsed = parsed.filter(pa.array(vouched))
        care[plain[~vouched]] = True
    return parsed, care & ~skip


def _with_escaped_quotes_hidden(block: Block) -> tuple[Block, Mask]:
    """Put another byte for each quote that a backslash escapes, since Arrow's reader knows no escape that it keeps.

    Returns:
        The block, as long as before, and which lines must not be read so: after two backslashes a quote is real, and a
        line that holds the other byte could not be told apart.
    """
    unhidable = block.holding(b"\\\\") | block.holding(_HIDDEN)
    if _ESCAPED[:1] not in block.data:
        return block, unhidable
    chars = np.frombuffer(block.data, dtype=np.uint8).copy()
    after = block.places(_ESCAPED[0]) + 1
    chars[after[chars[after] == _QUOTE]] = _HIDDEN[0]
    return Block(chars.tobytes(), block.offset), unhidable


def _texts(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Take a column apart, with hidden quotes shown again."""
    codes, values = codes_and_values(column)
    return codes, pc.replace_substring(values, _HIDDEN.decode(), '"')


def _misquoted(block: Block, known: LayoutFormat) -> Mask:
    """Lines whose quotes do not stand just where the format puts them."""
    chars = np.frombuffer(block.data, dtype=np.uint8)
    places = np.flatnonzero(chars == _QUOTE)
    expected = 2 * sum(item.is_quoted for item in known.items)
    misquoted = np.zeros(len(block), dtype=np.bool_)
    if not expected:
        misquoted[np.searchsorted(block.starts, places, side="right") - 1] = True
        return misquoted
    if len(places) != expected * len(block) or not _each_in_its_line(block, places.reshape(len(block), expected)):
        lines = np.searchsorted(block.starts, places, side="right") - 1
        misquoted = np.bincount(lines, minlength=len(block)) != expected
        places = places[~misquoted[lines]]
    fine = np.flatnonzero(~misquoted)
    misquoted[fine] = ~_well_placed(block, fine, places.reshape(len(fine), expected), known.items, chars)
    return misquoted


def _well_placed(
    block: Block,
    lines: npt.NDArray[np.int64],
    quotes: npt.NDArray[np.int64],
    items: tuple[Item, ...],
    chars: npt.NDArray[np.uint8],
) -> Mask:
    """Whether pairs of quotes have as many spaces before them as the format puts there, and nothing else about them."""
    fine = np.ones(len(lines), dtype=np.bool_)
    spaces: npt.NDArray[np.int64] | None = None
    before, between, pair = block.starts[lines] - 1, 0, 0
    for place, item in enumerate(items):
        if not item.is_quoted:
            between += len(item.columns)
            continue
        opening = quotes[:, 2 * pair]
        if pair:
            fine &= chars[before + 1] == _SPACE
        if between == 0:
            fine &= opening == before + (2 if pair else 1)
        elif items[place - 1].field == "clock":
            fine &= chars[np.maximum(opening - 2, 0)] == ord("]")  # the clock itself is read strictly
        else:
            spaces = np.flatnonzero(chars == _SPACE) if spaces is None else spaces
            found = np.searchsorted(spaces, opening) - np.searchsorted(spaces, before, side="right")
            fine &= (found == between + (1 if pair else 0)) & (chars[opening - 1] == _SPACE)
        before, between, pair = quotes[:, 2 * pair + 1], 0, pair + 1
    after = before + 1
    is_end = after == block.ends[lines]
    return fine & (is_end if not between else chars[np.minimum(after, len(chars) - 1)] == _SPACE)


def _each_in_its_line(block: Block, quotes: npt.NDArray[np.int64]) -> bool:
    return bool((quotes[:, 0] >= block.starts).all() and (quotes[:, -1] < block.ends).all())


def _as_csv(data: bytes, known: LayoutFormat) -> tuple[pa.Table, list[int]]:
    """Read lines as CSV rows; the numbers of lines with another count of columns are returned beside the table."""
    misfits: list[int] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        misfits.append(row.number - 1)
        return "skip"

    columns = [column for item in known.items for column in item.columns]
    table = pyarrow.csv.read_csv(
        pa.BufferReader(data),
        read_options=pyarrow.csv.ReadOptions(column_names=columns, use_threads=False, block_size=len(data) + 1),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=" ", quote_char='"', double_quote=False, ignore_empty_lines=False, invalid_row_handler=note
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={column: _NUMBERS.get(column, _DICTIONARY) for column in columns},
            null_values=[ABSENT],
            strings_can_be_null=True,
            auto_dict_max_cardinality=1 << 30,
            check_utf8=False,
        ),
    )
    return table, misfits


def _fields(table: pa.Table, known: LayoutFormat, vouched: Mask) -> dict[str, Taken]:
    """Take the CSV's text columns apart, each under its field's name."""
    fields: dict[str, Taken] = {}
    for item in known.items:
        if item.field in _NUMBERS:
            continue
        if item.field == "clock":
            fields["clock"] = _within(table["clock"], pc.starts_with, "[", vouched, start=1)
            fields["zone"] = _within(table["zone"], pc.ends_with, "]", vouched, start=0, stop=-1)
            continue
        fields[item.field] = _texts(table[item.field])
        if not item.is_quoted:
            codes, values = fields[item.field]
            empty = pc.index(values, "").as_py()
            vouched &= (codes != empty) if empty >= 0 else True
    return fields


def _within(column: pa.ChunkedArray, has: Callable[..., pa.Array], mark: str, vouched: Mask, **place: int) -> Taken:
    """Take a column apart whose values begin or end with a bracket, and leave the bracket out."""
    codes, values = codes_and_values(column)
    vouched &= np.append(has(values, mark).to_numpy(zero_copy_only=False), False)[codes]
    return codes, pc.utf8_slice_codeunits(values, **place)


def _whole_numbers(table: pa.Table, vouched: Mask) -> dict[str, pa.Array]:
    """The columns that the CSV reader made numbers of."""
    columns = {name: table[name].combine_chunks() for name in _NUMBERS if name in table.column_names}
    if "status" in columns:
        status = columns["status"].fill_null(100).to_numpy(zero_copy_only=False)
        vouched &= (status >= 100) & (status <= 999)
    return columns


def _lengths(table: pa.Table, known: LayoutFormat) -> npt.NDArray[np.int64]:
    """How long each line is if its whole numbers are digits without zeros in front: Arrow reads -0 and 0x10 too."""
    quotes = 2 * sum(item.is_quoted for item in known.items)
    lengths = np.full(table.num_rows, quotes + table.num_columns - 1, dtype=np.int64)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in _NUMBERS:
            numbers = column.combine_chunks().fill_null(0).to_numpy(zero_copy_only=False)
            lengths += 1 + np.searchsorted(_POWERS, numbers, side="right")
            continue
        codes, values = codes_and_values(column)
        lengths += np.append(pc.binary_length(values).to_numpy(zero_copy_only=False), len(ABSENT))[codes]
    return lengths

"""The fast path for space-separated formats: a block as CSV with dictionary columns, meanings once per distinct value.

Lines it cannot vouch for are named, not guessed: they take the exact path.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipeline.dictionaries import codes_and_values, from_codes
from pipeline.formats.fields import NUMBERS, TEXTS, split_request
from pipeline.formats.layout import ABSENT, Item, LayoutFormat
from pipeline.formats.times import read_clf_clocks, read_zone
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table, spread
from pipeline.ingest.fast_fields import Taken, further_columns, number_column, time_columns

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
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
    columns, vouched = _meanings(table, known)
    columns["line_offset"] = pa.array(block.starts[plain] + block.offset)
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
    if _ESCAPED not in block.data:
        return block, unhidable
    return Block(block.data.replace(_ESCAPED, b"\\" + _HIDDEN), block.offset), unhidable


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
            column_types=dict.fromkeys(columns, _DICTIONARY),  # numbers too: Arrow takes -0 and 0x10 for some
            null_values=[ABSENT],
            strings_can_be_null=True,
            auto_dict_max_cardinality=1 << 30,
            check_utf8=False,
        ),
    )
    return table, misfits


def _meanings(table: pa.Table, known: LayoutFormat) -> tuple[dict[str, pa.Array], Mask]:
    """Turn CSV columns into columns of LINE_SCHEMA, and say for which rows they hold."""
    columns: dict[str, pa.Array] = {}
    further: dict[str, Taken] = {}
    vouched = np.ones(table.num_rows, dtype=np.bool_)
    for item in known.items:
        name = item.field
        if name == "clock":
            columns |= _clock_columns(table, vouched)
            continue
        taken = _texts(table[name])
        if not item.is_quoted:
            empty = pc.index(taken[1], "").as_py()
            vouched &= (taken[0] != empty) if empty >= 0 else True
        if name == "time" or name == "local_clock":
            columns |= time_columns(name, taken, vouched)
        elif name in NUMBERS:
            column, numbers = number_column(name, taken, vouched)
            columns[column] = numbers
        elif name == "request":
            columns |= {part: spread(values, taken[0]) for part, values in _request_parts(taken[1]).items()}
        elif name in TEXTS:
            columns[name] = from_codes(*taken)
        else:
            further[name] = taken
    if further:
        columns |= further_columns(further, table.num_rows)
    return columns, vouched


def _clock_columns(table: pa.Table, vouched: Mask) -> dict[str, pa.Array]:
    clock_codes, clocks = codes_and_values(table["clock"])
    local, is_clock = read_clf_clocks(clocks, prefix=1)
    bracketed = pc.starts_with(clocks, "[").to_numpy(zero_copy_only=False)
    zone_codes, zones = codes_and_values(table["zone"])
    ahead = [read_zone(zone[:-1]) if zone.endswith("]") else None for zone in zones.to_pylist()]
    is_zone = np.array([*(value is not None for value in ahead), False], dtype=np.bool_)
    shift = np.array([*(value or 0 for value in ahead), 0], dtype=np.int64)
    vouched &= np.append(is_clock & bracketed, False)[clock_codes] & is_zone[zone_codes]
    instants = np.append(local, 0)[clock_codes] - shift[zone_codes]
    return {
        "occurred_at": pa.array(instants).cast(pa.timestamp("us", tz="UTC")),
        "zone": spread(pc.utf8_rtrim(zones, "]"), zone_codes),
    }


def _request_parts(requests: pa.Array) -> dict[str, pa.Array]:
    """Split distinct request lines; those that are not METHOD TARGET PROTOCOL stay whole in `request`."""
    parts = pc.split_pattern(requests, " ")
    is_three = pc.equal(pc.list_value_length(parts), 3).to_numpy(zero_copy_only=False)
    flat = pc.list_flatten(parts.filter(pa.array(is_three)))
    thirds = [flat.take(pa.array(np.arange(place, len(flat), 3))).dictionary_encode() for place in range(3)]
    methods, protocols = thirds[0], thirds[2]
    fine_methods = _which(methods, lambda method: split_request(f"{method} / HTTP/1.1") is not None)
    fine_protocols = _which(protocols, lambda protocol: protocol.startswith("HTTP/"))
    targets = thirds[1].dictionary_decode()
    fine = fine_methods & fine_protocols & pc.greater(pc.binary_length(targets), 0).to_numpy(zero_copy_only=False)
    is_split = is_three.copy()
    is_split[is_three] = fine
    place = np.full(len(requests), -1, dtype=np.int64)
    place[is_three] = np.arange(len(fine))
    place = pa.array(np.where(is_split, place, 0), mask=~is_split)
    whole = pc.if_else(pa.array(is_split), pa.scalar(None, pa.string()), requests)
    if not len(flat):
        empty = pa.nulls(len(requests), pa.string())
        return {"request": whole, "method": empty, "target": empty, "protocol": empty}
    return {
        "request": whole,
        "method": methods.dictionary_decode().take(place),
        "target": targets.take(place),
        "protocol": protocols.dictionary_decode().take(place),
    }


def _which(encoded: pa.DictionaryArray, test: object) -> Mask:
    assert callable(test)
    verdicts = np.array([test(value) for value in encoded.dictionary.to_pylist()] or [False], dtype=np.bool_)
    return verdicts[encoded.indices.to_numpy(zero_copy_only=False)] if len(encoded) else np.zeros(0, dtype=np.bool_)

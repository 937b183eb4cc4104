"""The fast path for space-separated formats: a block as CSV with dictionary columns, meanings once per distinct value.

Lines it cannot vouch for are named, not guessed: they take the exact path.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipeline.formats.text import (
    ABSENT,
    PLAIN_FIELDS,
    TextFormat,
    codes_and_values,
    from_codes,
    meaning_of_further,
    split_request,
)
from pipeline.formats.times import read_clf_clocks, read_zone
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import line_table, spread

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
_NUMBERS = {"status": pa.int16(), "bytes_sent": pa.int64()}
_QUOTE = ord('"')
_ESCAPED, _HIDDEN = b'\\"', b"\x01"
Mask = npt.NDArray[np.bool_]


def read_block(block: Block, known: TextFormat, skip: Mask) -> tuple[pa.Table, Mask]:
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


def _misquoted(block: Block, known: TextFormat) -> Mask:
    """Lines whose quotes do not stand just where the format puts them."""
    chars = np.frombuffer(block.data, dtype=np.uint8)
    places = np.flatnonzero(chars == _QUOTE)
    expected = 2 * len(known.quoted)
    misquoted = np.zeros(len(block), dtype=np.bool_)
    if len(places) != expected * len(block) or not _each_in_its_line(block, places.reshape(len(block), expected)):
        lines = np.searchsorted(block.starts, places, side="right") - 1
        misquoted = np.bincount(lines, minlength=len(block)) != expected
        places = places[~misquoted[lines]]
    fine = np.flatnonzero(~misquoted)
    quotes = places.reshape(len(fine), expected)
    before_request = chars[np.maximum(quotes[:, 0] - 2, 0)] == ord("]")
    neighbours = (quotes[:, 4::2] == quotes[:, 3:-1:2] + 2).all(axis=1)
    ends_quoted = quotes[:, -1] == block.ends[fine] - 1 if known.fields[-1] in known.quoted else True
    misquoted[fine] = ~(before_request & neighbours & ends_quoted)
    return misquoted


def _each_in_its_line(block: Block, quotes: npt.NDArray[np.int64]) -> bool:
    return bool((quotes[:, 0] >= block.starts).all() and (quotes[:, -1] < block.ends).all())


def _as_csv(data: bytes, known: TextFormat) -> tuple[pa.Table, list[int]]:
    """Read lines as CSV rows; the numbers of lines with another count of columns are returned beside the table."""
    misfits: list[int] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        misfits.append(row.number - 1)
        return "skip"

    columns = known.csv_columns
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


def _meanings(table: pa.Table, known: TextFormat) -> tuple[dict[str, pa.Array], Mask]:
    """Turn CSV columns into columns of LINE_SCHEMA, and say for which rows they hold."""
    columns: dict[str, pa.Array] = {}
    instants, vouched = _instants(table)
    columns["occurred_at"] = pa.array(instants).cast(pa.timestamp("us", tz="UTC"))
    zone_codes, zones = codes_and_values(table["zone"])
    columns["zone"] = spread(pc.utf8_rtrim(zones, "]"), zone_codes)
    request_codes, requests = _texts(table["request"])
    columns |= {name: spread(values, request_codes) for name, values in _request_parts(requests).items()}
    for name in known.fields:
        if name in _NUMBERS:
            columns[name] = table[name].combine_chunks()
        elif name in ("ip", "ident", "remote_user", "host", "referrer", "user_agent"):
            codes, values = _texts(table[name])
            columns[name] = from_codes(codes, values)
            if name in PLAIN_FIELDS:
                empty = pc.index(values, "").as_py()
                vouched &= (codes != empty) if empty >= 0 else True
    further = [name for name in known.fields if name.startswith("quoted_")]
    if further:
        columns |= _further(table, further)
    status = columns["status"].fill_null(100).to_numpy(zero_copy_only=False)
    sizes = columns["bytes_sent"].fill_null(0).to_numpy(zero_copy_only=False)
    return columns, vouched & (status >= 100) & (status <= 999) & (sizes >= 0)


def _instants(table: pa.Table) -> tuple[npt.NDArray[np.int64], Mask]:
    clock_codes, clocks = codes_and_values(table["clock"])
    local, is_clock = read_clf_clocks(clocks, prefix=1)
    bracketed = pc.starts_with(clocks, "[").to_numpy(zero_copy_only=False)
    zone_codes, zones = codes_and_values(table["zone"])
    ahead = [read_zone(zone[:-1]) if zone.endswith("]") else None for zone in zones.to_pylist()]
    is_zone = np.array([value is not None for value in ahead], dtype=np.bool_)
    shift = np.array([value or 0 for value in ahead], dtype=np.int64)
    known = (clock_codes >= 0) & (zone_codes >= 0)
    vouched = known.copy()
    vouched[known] = (is_clock & bracketed)[clock_codes[known]] & is_zone[zone_codes[known]]
    instants = np.zeros(len(clock_codes), dtype=np.int64)
    instants[vouched] = local[clock_codes[vouched]] - shift[zone_codes[vouched]]
    return instants, vouched


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


def _further(table: pa.Table, names: list[str]) -> dict[str, pa.Array]:
    """Place further quoted fields, once for each distinct combination of them."""
    combined = np.zeros(table.num_rows, dtype=np.int64)
    taken = []
    for name in names:
        codes, values = _texts(table[name])
        combined = combined * (len(values) + 1) + codes + 1
        _, combined = np.unique(combined, return_inverse=True)
        taken.append((codes, values))
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    placed = []
    for row in first.tolist():
        given = {
            name: values[int(codes[row])].as_py()
            for name, (codes, values) in zip(names, taken, strict=True)
            if codes[row] >= 0
        }
        placed.append(meaning_of_further(given))
    return {
        name: spread(pa.array([entry.get(name) for entry in placed], pa.string()), inverse.astype(np.int32))
        for name in ("forwarded_for", "extra")
    }

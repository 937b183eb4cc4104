"""Fields of many lines to columns, once for each distinct value: what `formats.fields` does line by line.

Rows whose value is not what its field says are no longer vouched for, and take the exact path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dictionaries import Codes, codes_and_values, from_codes
from pipeline.formats.fields import (
    NUMBERS,
    TEXTS,
    encode_member,
    looks_forwarded,
    split_request,
    write_again,
)
from pipeline.formats.layout import LayoutFormat, Rule
from pipeline.formats.reasons import Rejected
from pipeline.formats.times import read_clf_clocks, read_instants, read_local_clock, read_zone
from pipeline.ingest.columns import spread

Mask = npt.NDArray[np.bool_]
Taken = tuple[Codes, pa.Array]
_Value = TypeVar("_Value")
_KINDS = {"status": pa.int16(), "bytes_sent": pa.int64(), "duration_ms": pa.float64()}
_ESCAPED_IN_JSON = r'["\\\x00-\x1f\x7f]'
_WHOLE = r"\A[0-9]{1,18}\z"


def read_columns(fields: Mapping[str, Taken], vouched: Mask) -> dict[str, pa.Array]:
    """Give the columns of lines, as `formats.fields.read_fields` does those of one.

    Args:
        fields: each field's codes and distinct texts; absent ones have the code -1.
        vouched: a mark a row; those of rows that cannot be read so are taken away.

    Returns:
        Columns of LINE_SCHEMA.
    """
    left = dict(fields)
    columns = _instants(left, vouched)
    if "path" in left:
        left["target"] = _targets(left)
    further: dict[str, Taken] = {}
    for name, taken in left.items():
        if name in NUMBERS:
            column, numbers = number_column(name, taken, vouched)
            columns[column] = pc.coalesce(numbers, columns[column]) if column in columns else numbers
        elif name in TEXTS:
            columns[name] = from_codes(*taken)
        else:
            further[name] = taken
    if "request" in left:
        codes, requests = left["request"]
        for part, values in _request_parts(requests).items():
            columns[part] = _either(spread(values, codes), columns.get(part) if part != "request" else None)
    if further:
        add_further(columns, further, len(vouched))
    return columns


def _either(first: pa.DictionaryArray, second: pa.Array | None) -> pa.Array:
    if second is None or first.null_count == 0:
        return first
    return pc.coalesce(first.dictionary_decode(), second.cast(pa.string())).dictionary_encode()


def apply_rule(fields: dict[str, Taken], rule: Rule, rows: int) -> None:
    """Change fields as a layout's rule says, once for each distinct combination of the fields it looks at."""
    absent: Taken = (np.full(rows, -1, dtype=np.int32), pa.array([], pa.string()))
    seen = [fields.get(name, absent) for name in rule.fields]
    distinct, inverse = _combined([codes for codes, _ in seen], rows)
    texts = [values.to_pylist() for _, values in seen]
    changes = [
        rule.changes(
            *(values[codes[row]] if codes[row] >= 0 else None for (codes, _), values in zip(seen, texts, strict=True))
        )
        for row in distinct
    ]
    for name in sorted({name for change in changes for name in change}):
        codes, values = fields.get(name, absent)
        is_changed = np.array([name in change for change in changes], dtype=np.bool_)[inverse]
        new = codes_and_values(pa.array([change.get(name) for change in changes], pa.string()))
        moved = np.where(new[0] >= 0, new[0] + len(values), -1).astype(np.int32)
        fields[name] = (
            np.where(is_changed, moved[inverse], codes).astype(np.int32),
            pa.concat_arrays([values, new[1]]),
        )


def untold_rows(fields: Mapping[str, Taken], known: LayoutFormat, rows: int) -> Mask:
    """Tell the rows with a text that, once read, would be written otherwise: a number with zeros in front, say."""
    if not known.is_told:
        return np.ones(rows, dtype=np.bool_)
    untold = np.zeros(rows, dtype=np.bool_)
    for name, (codes, values) in fields.items():
        if name == "clock":
            changed = pc.ends_with(values, ":60").to_numpy(zero_copy_only=False)
        elif name == "path":
            changed = pc.match_substring(values, "?").to_numpy(zero_copy_only=False)
        elif name in NUMBERS or name in ("time", "local_clock"):
            changed = np.array([write_again(name, text) != text for text in values.to_pylist()], dtype=np.bool_)
        else:
            continue
        if changed.any():
            untold |= np.append(changed, False)[codes]
    return untold


def _combined(columns: Sequence[Codes], rows: int) -> tuple[list[int], npt.NDArray[np.int64]]:
    """Number distinct combinations of codes; return a row that has each, and each row's number."""
    combined = np.zeros(rows, dtype=np.int64)
    for codes in columns:
        combined = combined * (int(codes.max(initial=-1)) + 2) + codes + 1
        if len(columns) > 1:
            _, combined = np.unique(combined, return_inverse=True)
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    return first.tolist(), inverse


def _instants(fields: dict[str, Taken], vouched: Mask) -> dict[str, pa.Array]:
    """Take the time out of the fields."""
    if "clock" in fields:
        return _clock_columns(fields.pop("clock"), fields.pop("zone"), vouched)
    for name in ("local_clock", "time"):
        if name in fields:
            return time_columns(name, fields.pop(name), vouched)
    if "date" not in fields or "time_of_day" not in fields:
        vouched[:] = False
        return {}
    parts = [fields.pop("date"), fields.pop("time_of_day")]
    parts += [fields.pop("zone")] if "zone" in fields else []
    distinct, inverse = _combined([codes for codes, _ in parts], len(vouched))
    texts = []
    for row in distinct:
        day, time, *zone = (values[int(codes[row])].as_py() if codes[row] >= 0 else None for codes, values in parts)
        ahead = zone[0] if zone and zone[0] is not None else "Z"
        texts.append("" if day is None or time is None else f"{day}T{time}{ahead}")
    return time_columns("time", (inverse.astype(np.int32), pa.array(texts, pa.string())), vouched)


def _clock_columns(clock: Taken, zone: Taken, vouched: Mask) -> dict[str, pa.Array]:
    codes, clocks = clock
    local, is_clock = read_clf_clocks(clocks)
    zone_codes, zones = zone
    ahead = [read_zone(text) for text in zones.to_pylist()]
    is_zone = np.array([*(value is not None for value in ahead), False], dtype=np.bool_)
    shift = np.array([*(value or 0 for value in ahead), 0], dtype=np.int64)
    vouched &= np.append(is_clock, False)[codes] & is_zone[zone_codes]
    instants = np.append(local, 0)[codes] - shift[zone_codes]
    return {
        "occurred_at": pa.array(instants).cast(pa.timestamp("us", tz="UTC")),
        "zone": spread(zones, zone_codes),
    }


def _targets(fields: dict[str, Taken]) -> Taken:
    """Put path and query together; where there is no path, the query and a target that was written whole stay."""
    has_path = fields["path"][0] >= 0
    path = from_codes(*fields.pop("path")).dictionary_decode()
    target = path
    if "query" in fields:
        codes, values = fields["query"]
        query = from_codes(codes, values).dictionary_decode()
        target = pc.if_else(pc.is_valid(query), pc.binary_join_element_wise(path, query, "?"), path)
        fields["query"] = (np.where(has_path, -1, codes).astype(np.int32), values)
    if "target" in fields:
        target = pc.coalesce(target, from_codes(*fields["target"]).dictionary_decode())
    return codes_and_values(target)


def number_column(name: str, taken: Taken, vouched: Mask) -> tuple[str, pa.Array]:
    """Read a field of `NUMBERS`; return the column's name and its values."""
    codes, values = taken
    column, reader = NUMBERS[name]
    if column == "bytes_sent" and pc.all(pc.match_substring_regex(values, _WHOLE)).as_py():
        read: pa.Array = values.cast(pa.int64())
    else:
        numbers = [_or_none(reader, text) for text in values.to_pylist()]
        is_number = np.array([*(value is not None for value in numbers), True], dtype=np.bool_)
        vouched &= is_number[codes]
        read = pa.array(numbers, _KINDS[column])
    return column, read.take(pa.array(codes, mask=codes < 0))


def time_columns(name: str, taken: Taken, vouched: Mask) -> dict[str, pa.Array]:
    """Read the field `time` or `local_clock` to `occurred_at` and `zone`."""
    codes, values = taken
    micros, zones, is_instant = read_instants(values) if name == "time" else _local_clocks(values)
    vouched &= np.append(is_instant, False)[codes]
    return {
        "occurred_at": pa.array(np.append(micros, 0)[codes]).cast(pa.timestamp("us", tz="UTC")),
        "zone": spread(zones, codes),
    }


def _local_clocks(values: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array, Mask]:
    found = [read_local_clock(text) for text in values.to_pylist()]
    micros = np.array([clock or 0 for clock in found], dtype=np.int64)
    return micros, pa.nulls(len(values), pa.string()), np.array([clock is not None for clock in found], dtype=np.bool_)


def _or_none(reader: Callable[[str], _Value], text: str) -> _Value | None:
    try:
        return reader(text)
    except Rejected:
        return None


def add_further(columns: dict[str, pa.Array], fields: Mapping[str, Taken], rows: int) -> None:
    """Add fields that have no column of their own to columns; a forwarded address among them comes before another."""
    further = _further_columns(fields, rows)
    if "forwarded_for" in further:
        further["forwarded_for"] = _either(further["forwarded_for"], columns.get("forwarded_for"))
    columns |= further


def _further_columns(fields: Mapping[str, Taken], rows: int) -> dict[str, pa.Array]:
    """Place fields that have no column of their own, as `formats.fields.place_further` does those of one line."""
    left = dict(fields)
    columns: dict[str, pa.Array] = {}
    if "quoted_1" in left and pa.types.is_string(left["quoted_1"][1].type):
        codes, values = left["quoted_1"]
        forwarded = np.append(np.array([looks_forwarded(text) for text in values.to_pylist()], dtype=np.bool_), False)[
            codes
        ]
        if forwarded.any():
            columns["forwarded_for"] = from_codes(np.where(forwarded, codes, -1).astype(np.int32), values)
            left["quoted_1"] = (np.where(forwarded, -1, codes).astype(np.int32), values)
    members = [
        spread(_members(name, values), codes).dictionary_decode() for name, (codes, values) in sorted(left.items())
    ]
    within = pa.nulls(rows, pa.string())
    for member in members:
        within = pc.coalesce(pc.binary_join_element_wise(within, member, ", "), within, member)
    if within.null_count < rows:
        columns["extra"] = pc.binary_join_element_wise("{", within, "}", "").dictionary_encode()
    return columns


def _members(name: str, values: pa.Array) -> pa.Array:
    """Write each value as a member of a JSON object, as `json` does."""
    key = encode_member(name)
    is_text = pa.types.is_string(values.type)
    if not is_text or pc.any(pc.match_substring_regex(values, _ESCAPED_IN_JSON)).as_py():
        return pa.array([f"{key}: {encode_member(value)}" for value in values.to_pylist()], pa.string())
    return pc.binary_join_element_wise(f'{key}: "', values, '"', "")


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

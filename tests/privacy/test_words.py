"""Words that tell of somebody: found in every form, in no longer word, and masked without moving anything."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.privacy.words import Words, is_telling, is_telling_name

WORDS = Words(["Ann@example.com", "u1750", "Lucía Okafor", "203.0.113.7", "9d1f2c3b"])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("x u1750 y", "x 00000 y"),
        ("/users/U1750?x=ann%40Example.com&y", "/users/00000?x=000%400000000.000&y"),
        ("?q=%3Du1750", "?q=%3D00000"),
        (r"a\u0026u1750", r"a\u002600000"),
        ("Luc%C3%ADa+Okafor", "000%30%300+000000"),
        (r"Luc\u00eda Okafor", r"000\u00300 000000"),
        ("mail ann@example.com. Bye", "mail 000@0000000.000. Bye"),
        ("from 203.0.113.7:443", "from 000.0.000.0:443"),
        ("visitor=9D1F2C3B;", "visitor=00000000;"),
    ],
)
def test_a_word_is_masked_in_each_form(text: str, masked: str) -> None:
    assert WORDS.masked(text.encode()).decode() == masked
    assert len(masked) == len(text)
    assert not WORDS.are_in(masked.encode())


@pytest.mark.parametrize(
    "text",
    [
        *("u17501", "xu1750", "u1750_a", "xann@example.com", "joann.ann@example.com", "ann@example.com.au"),
        *("1203.0.113.7", "203.0.113.7.in-addr", "203.0.113.71", "9d1f2c3b4", "Lucía Okafors"),
    ],
)
def test_a_part_of_a_longer_word_is_none(text: str) -> None:
    assert not WORDS.are_in(text.encode())
    assert WORDS.masked(text.encode()) == text.encode()


@pytest.mark.parametrize("word", ["17", "20260302", "123456", "anna", "administrator", "ab1", "", "-"])
def test_what_could_be_anything_tells_of_nobody(word: str) -> None:
    assert not is_telling(word)


@pytest.mark.parametrize("word", ["u1750", "a@b.ex", "123456789", "tab-17", "9d1f2c3b-0000-4000-8000-000000000000"])
def test_what_is_somebodys_alone_does(word: str) -> None:
    assert is_telling(word)


def test_a_full_name_has_two_words() -> None:
    assert is_telling_name("Lucía Okafor")
    assert not is_telling_name("Lucía")
    assert not is_telling_name("Li Wu")


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["plain", "percent", "plus", "json"]),
)
def test_whatever_a_word_is_it_is_found_in_each_form_and_gone_once_masked(word: str, around: str, form: str) -> None:
    word = f"w1{word}9w"
    forms = {"plain": word, "percent": quote(word), "plus": quote_plus(word), "json": json.dumps(word)[1:-1]}
    text = f"{around} {forms[form]} {around}".encode()
    words = Words([word])
    assert words.are_in(text)
    masked = words.masked(text)
    assert not words.are_in(masked)
    assert len(masked) == len(text)


@given(st.lists(st.sampled_from(["u1750", "a u1750", "u17501", "", "ü", None, "u17", "50"]), max_size=12))
def test_a_column_is_searched_value_by_value(values: list[str | None]) -> None:
    expected = [value is not None and value.endswith("u1750") for value in values]
    column = pa.chunked_array([pa.array(values, pa.string())])
    split = pa.chunked_array([pa.array(values[:3], pa.string()), pa.array(values[3:], pa.string())])
    padded = pa.chunked_array([pa.array(["u1750", *values, "u1750"], pa.string())]).slice(1, len(values))
    binary = pa.chunked_array([pa.array([None if v is None else v.encode() for v in values], pa.binary())])
    for one in (column, split, padded, binary, column.dictionary_encode()):
        assert WORDS.rows(one).tolist() == expected
        masked = WORDS.masked_column(one)
        assert masked.type == one.type
        assert not WORDS.rows(masked).any()
        assert masked.is_null().to_pylist() == one.is_null().to_pylist()
    listed = pa.chunked_array([pa.array([[value, "x"] for value in values] or [], pa.list_(pa.string()))])
    assert WORDS.rows(listed).tolist() == expected

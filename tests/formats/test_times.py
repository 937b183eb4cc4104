"""Clocks of logs against Python's own reading of them."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats.times import read_clf_clock, read_clf_clocks, read_instant, read_instants, read_zone

INSTANTS = st.datetimes(min_value=datetime(1995, 1, 1), max_value=datetime(2099, 12, 31, 23, 59, 59))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.lists(INSTANTS, min_size=1, max_size=20))
def test_common_log_clocks(moments: list[datetime]) -> None:
    texts = [moment.strftime("[%d/%b/%Y:%H:%M:%S") for moment in moments]
    micros, valid = read_clf_clocks(pa.array(texts), prefix=1)
    assert valid.all()
    expected = [moment.replace(microsecond=0, tzinfo=UTC) for moment in moments]
    assert [EPOCH + timedelta(microseconds=int(value)) for value in micros] == expected


DAYS = r"[0-3]\d/(Jan|Feb|Jun|Dec|jan|Foo)/(1994|1995|2000|2024|2100|9999)"
CLOCK_LIKE = st.from_regex(DAYS + r":[012]\d:[0-6]\d:[0-6]\d", fullmatch=True)


@given(CLOCK_LIKE | st.text(max_size=22))
def test_one_clock_is_read_as_many_are(text: str) -> None:
    micros, valid = read_clf_clocks(pa.array([text]))
    assert read_clf_clock(text) == (int(micros[0]) if valid[0] else None)


@given(INSTANTS, st.integers(-14 * 60, 14 * 60))
def test_iso_instants(moment: datetime, minutes: int) -> None:
    sign, ahead = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{moment.isoformat()}{sign}{ahead // 60:02}:{ahead % 60:02}"
    found = read_instant(text)
    expected = datetime.fromisoformat(text)
    if not datetime(1995, 1, 1, tzinfo=UTC) <= expected < datetime(2100, 1, 1, tzinfo=UTC):
        assert found is None
        return
    assert found is not None
    assert EPOCH + timedelta(microseconds=found[0]) == expected


NO_CLOCKS = ["29/Feb/2023:00:00:00", "31/Dec/1994:23:59:59", "00/Jan/2020:00:00:00", "1/Jan/2020:00:00:000"]


@pytest.mark.parametrize("text", [*NO_CLOCKS, "10/Oct/2000 13:55:36", "", "é" * 20])
def test_what_is_no_clock(text: str) -> None:
    _, valid = read_clf_clocks(pa.array([text]))
    assert not valid[0]


def test_leap_second_is_the_next_second() -> None:
    micros, valid = read_clf_clocks(pa.array(["30/Jun/2015:23:59:60", "01/Jul/2015:00:00:00"]))
    assert valid.all()
    assert micros[0] == micros[1]


def test_seconds_since_1970_with_fraction() -> None:
    assert read_instant("1457212800.123456789") == (1457212800_123456, "Z")


@pytest.mark.parametrize(("text", "minutes"), [("+0330", 210), ("-0700", -420), ("+0000", 0)])
def test_zones(text: str, minutes: int) -> None:
    assert read_zone(text) == minutes * 60_000_000


@pytest.mark.parametrize("text", ["+2460", "0330", "+03:30", "+2500", ""])
def test_what_is_no_zone(text: str) -> None:
    assert read_zone(text) is None


ODD = st.sampled_from(
    ["1457212800", "1457212800.123", "1457212800123", "1457212800123456", "1457212800123456789", "", "x"]
)
ISO = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["2026-03-02T10:00:00", "2026-03-02 10:00:01", "2026-02-30T10:00:00", "1994-12-31T23:59:59"])
    | st.sampled_from(["2099-12-31T23:59:59", "1995-01-01T00:00:00", "2026-03-02T24:00:00", "2026-03-02T10:00"]),
    st.sampled_from(["", ".5", ",123", ".123456789", ".1234567890", "."]),
    st.sampled_from(["", "Z", "+0130", "-01:30", "+9999", " UTC", "z"]),
    st.sampled_from(["", "", "", "é"]),
)


@given(st.lists(ODD | ISO | st.text(max_size=25), max_size=8, unique=True))
def test_many_instants_are_read_as_one_is(texts: list[str]) -> None:
    micros, zones, is_instant = read_instants(pa.array(texts, pa.string()))
    found = [read_instant(text) for text in texts]
    assert is_instant.tolist() == [entry is not None for entry in found]
    known = zip(micros.tolist(), zones.to_pylist(), found, strict=True)
    assert all((at, zone) == entry for at, zone, entry in known if entry is not None)

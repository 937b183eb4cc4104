"""Whatever is done to the files of the log of who looked, `verify` finds it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit import AccessLog, AccessLogError, access_key, read_head, verify
from pipeline.audit.entries import canonical, read_line, to_line
from pipeline.audit.verify import MOST_PROBLEMS
from tests.audit.logs import ANN, KEY, at, files, problems, three_months


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole log, which every test leaves as it was."""
    return three_months(tmp_path_factory.mktemp("tampering") / "access_log").folder


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    assert content != before
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def all_lines(folder: Path) -> list[tuple[Path, int]]:
    return [(path, n) for path in files(folder) for n in range(len(path.read_bytes().splitlines()))]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_change_of_bytes_is_found(log: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([*files(log), log / "head.json"]))
    content = path.read_bytes()
    first = data.draw(st.integers(0, len(content) - 1))
    last = data.draw(st.integers(first, min(first + 3, len(content))))
    put = data.draw(st.binary(max_size=3).filter(lambda put: put != content[first:last]))
    if put + content[last:] == content[first:]:
        return  # the same bytes after all
    if path == files(log)[-1] and first == last == len(content) and b"\n" not in put:
        return  # a torn line, which says nothing
    with changed(path, content[:first] + put + content[last:]):
        assert problems(log)


def test_a_change_of_each_byte_is_found(log: Path) -> None:
    for path in [files(log)[0], log / "head.json"]:
        content = path.read_bytes()
        for place, byte in enumerate(content):
            with changed(path, content[:place] + bytes([byte ^ 1]) + content[place + 1 :]):
                assert problems(log), (path, place)


def test_other_json_that_says_the_same_is_found(log: Path) -> None:
    for path in [files(log)[0], log / "head.json"]:
        content = path.read_bytes()
        for other in (content.replace(b",", b", ", 1), content + b"\n", content.replace(b'"seq', b'"\\u0073eq', 1)):
            with changed(path, other):
                assert problems(log), (path, other)


def test_deleted_and_doubled_lines_are_found(log: Path) -> None:
    for path, number in all_lines(log):
        lines = path.read_bytes().splitlines(keepends=True)
        with changed(path, b"".join(lines[:number] + lines[number + 1 :])):
            assert problems(log), (path, number)
        for to in range(len(lines) + 1):
            with changed(path, b"".join([*lines[:to], lines[number], *lines[to:]])):
                assert problems(log), (path, number, to)


def test_any_two_lines_that_were_swapped_are_found(log: Path) -> None:
    for (one, first), (other, second) in itertools.combinations(all_lines(log), 2):
        lines = {path: path.read_bytes().splitlines(keepends=True) for path in (one, other)}
        lines[one][first], lines[other][second] = lines[other][second], lines[one][first]
        with changed(one, b"".join(lines[one])):
            if one == other:
                assert problems(log)
                continue
            with changed(other, b"".join(lines[other])):
                assert problems(log)


def test_a_cut_at_any_byte_is_found(log: Path) -> None:
    for path in files(log):
        content = path.read_bytes()
        for size in range(0, len(content), 1 if path == files(log)[-1] else 23):
            with changed(path, content[:size]):
                assert problems(log), (path, size)


def test_a_missing_file_is_found(log: Path) -> None:
    for path in [*files(log), log / "head.json"]:
        content = path.read_bytes()
        path.unlink()
        assert problems(log), path
        path.write_bytes(content)
    assert problems(log) == []


def test_a_problem_names_its_place(log: Path) -> None:
    path = files(log)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    with changed(path, lines[0] + lines[1].replace(b"refused", b"nothing") + lines[2]):
        assert problems(log) == ["2026-11.jsonl, line 2, seq 5: it was changed, or does not follow the line before it"]
    with changed(path, lines[0] + lines[2]):
        assert problems(log) == [
            "2026-11.jsonl, line 2, seq 6: seq 5 was due; it was changed, or does not follow the line before it"
        ]
    with changed(path, lines[0] + b"[" * 100_000 + b"\n" + lines[2]):
        assert problems(log)[0] == "2026-11.jsonl, line 2: is no line of this log"


def test_an_entry_that_claims_an_erasure_is_no_excuse(log: Path) -> None:
    path = files(log)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    line = read_line(lines[2])
    assert line is not None
    assert line.why is not None
    claims: list[dict[str, object]] = [{"erased": [3]}, {"erased": [[]]}, {"erased": 3, "role": {"erased": []}}]
    for claim in claims:
        forged = canonical({"entry": line.entry | claim, "hash": line.hash, "why": None}) + b"\n"
        with changed(path, lines[0] + lines[1] + forged):
            assert problems(log)


def test_a_reason_taken_out_or_put_back_is_found(log: Path) -> None:
    path = files(log)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    taken = read_line(lines[0])
    assert taken is not None
    without = canonical({"entry": taken.entry, "hash": taken.hash, "why": None}) + b"\n"
    with changed(path, without + lines[1] + lines[2]):
        assert problems(log) == [
            "2026-11.jsonl, line 1, seq 4: its reason is missing, and no entry says that it was erased"
        ]
    other = canonical({"entry": taken.entry, "hash": taken.hash, "why": {"salt": "0", "text": "x"}}) + b"\n"
    with changed(path, other + lines[1] + lines[2]):
        assert problems(log) == ["2026-11.jsonl, line 1, seq 4: its reason was changed"]
    erased = read_line(lines[2])
    assert erased is not None
    back = canonical({"entry": erased.entry, "hash": erased.hash, "why": {"salt": "0", "text": "x"}}) + b"\n"
    with changed(path, lines[0] + lines[1] + back):
        assert problems(log) == [
            "2026-11.jsonl, line 3, seq 6: its reason was to be erased and still stands; erase it again"
        ]


def test_a_line_made_without_the_key_is_found(log: Path) -> None:
    head = read_head(log, KEY)
    path = files(log)[-1]
    forged = to_line(access_key("another"), ANN, head.seq + 1, at(2026, 12, 6)(), head.hash).to_bytes()
    with changed(path, path.read_bytes() + forged):
        assert len(problems(log)) == 1
        with pytest.raises(AccessLogError, match="not this log's"):
            AccessLog(log, KEY).append(ANN)


def test_a_log_is_only_whole_for_its_own_key(log: Path) -> None:
    assert "another secret" in str(verify(log, access_key("another"))[0])
    with pytest.raises(AccessLogError, match="another secret"):
        AccessLog(log, access_key("another")).append(ANN)


def test_a_log_set_back_with_its_head_is_found_by_a_head_kept_elsewhere(log: Path, tmp_path: Path) -> None:
    early = tmp_path / "early"
    AccessLog(early, KEY).append(ANN)
    late = tmp_path / "late"
    shutil.copytree(early, late)
    for _ in range(2):
        AccessLog(late, KEY).append(ANN)
    kept = str(read_head(late, KEY))
    assert problems(late, kept) == []
    AccessLog(late, KEY).append(ANN)
    assert problems(late, kept) == []
    assert problems(early) == []
    assert problems(early, kept) == [
        "the head kept elsewhere, seq 3: the log ends with 1: its end is gone, or it was set back"
    ]
    for _ in range(2):
        AccessLog(early, KEY).append(ANN)
    assert problems(early) == []
    assert problems(early, kept) == ["the head kept elsewhere, seq 3: the log has another one"]
    assert problems(tmp_path / "gone", kept)
    assert problems(tmp_path / "gone") == []
    with pytest.raises(ValueError, match="is no head"):
        verify(log, KEY, "12")


def test_a_head_that_alone_was_set_back_is_found(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    AccessLog(folder, KEY).append(ANN)
    old = (folder / "head.json").read_bytes()
    for _ in range(2):
        AccessLog(folder, KEY).append(ANN)
    (folder / "head.json").write_bytes(old)
    assert problems(folder) == ["head.json, seq 1: the log goes on to 3: the head was set back"]


@pytest.mark.parametrize("gone", ["head.json", "2026-12.jsonl", "tail"])
def test_nothing_is_appended_to_a_log_whose_end_is_gone(log: Path, tmp_path: Path, gone: str) -> None:
    folder = tmp_path / "log"
    shutil.copytree(log, folder)
    last = files(folder)[-1]
    if gone == "tail":
        last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-1]))
    else:
        (folder / gone).unlink()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(AccessLogError):
        AccessLog(folder, KEY, at(2026, 12, 9)).append(ANN)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert problems(folder)


def test_problems_are_told_up_to_a_limit(log: Path) -> None:
    path = files(log)[0]
    with changed(path, b"\n" * (MOST_PROBLEMS * 2) + path.read_bytes()):
        assert len(problems(log)) == MOST_PROBLEMS

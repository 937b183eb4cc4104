"""Appending to the log of who looked: durable, by several at once, whole again after a crash, and reasons erased."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit import AccessLog, AccessLogError, Subject, View, read_entries, read_head
from pipeline.audit.entries import to_line
from pipeline.audit.folder import LONGEST_LINE
from tests.audit.logs import ANN, KEY, at, files, problems, three_months

APPEND = """
import sys
from pathlib import Path
from tests.audit.logs import ANN, KEY
from pipeline.audit import AccessLog
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    print(AccessLog(Path(sys.argv[1]), KEY).append(ANN), flush=True)
"""


def appender(folder: Path, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", APPEND, str(folder), str(times)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def seqs(folder: Path) -> list[int]:
    return [entry.seq for entry in read_entries(folder)]


def test_several_processes_make_one_whole_chain(tmp_path: Path) -> None:
    running = [appender(tmp_path / "new" / "log", 40) for _ in range(4)]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:
        start(process)
    said = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    assert sorted(int(seq) for text in said for seq in text.split()) == list(range(1, 161))
    assert seqs(tmp_path / "new" / "log") == list(range(1, 161))
    assert problems(tmp_path / "new" / "log") == []


def test_a_process_killed_at_any_moment_loses_no_acknowledged_entry(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for number in range(4):
        with appender(tmp_path, 100_000) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            start(process)
            acknowledged.append(int(process.stdout.readline()))
            time.sleep(0.05 + 0.013 * number)
            process.kill()
            acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
        assert problems(tmp_path) == []
        assert set(acknowledged) <= set(seqs(tmp_path))
    assert len(acknowledged) > 4
    last = AccessLog(tmp_path, KEY).append(ANN)
    assert seqs(tmp_path) == list(range(1, last + 1))
    assert problems(tmp_path) == []


@pytest.mark.parametrize("month", [11, 12])
def test_a_crash_between_entry_and_head_heals(tmp_path: Path, month: int) -> None:
    AccessLog(tmp_path, KEY, at(2026, 11, 30)).append(ANN)
    head = (tmp_path / "head.json").read_bytes()
    AccessLog(tmp_path, KEY, at(2026, month, 30)).append(ANN)
    (tmp_path / "head.json").write_bytes(head)
    assert problems(tmp_path) == []
    assert AccessLog(tmp_path, KEY, at(2026, 12, 31)).append(ANN) == 3
    assert seqs(tmp_path) == [1, 2, 3]
    assert problems(tmp_path) == []


@pytest.mark.parametrize("month", [11, 12])
def test_a_line_torn_at_any_byte_is_cut_off(tmp_path: Path, month: int) -> None:
    log = AccessLog(tmp_path, KEY, at(2026, 11, 30))
    log.append(ANN)
    head = read_head(tmp_path, KEY)
    torn = to_line(KEY, ANN, 2, at(2026, month, 30)(), head.hash).to_bytes()[:-1]
    path = tmp_path / f"2026-{month}.jsonl"
    for size in range(1, len(torn) + 1, 7):
        with path.open("ab") as file:
            file.write(torn[:size])
        assert problems(tmp_path) == []
        assert seqs(tmp_path) == list(range(1, head.seq + 1))
        before = head.seq
        assert AccessLog(tmp_path, KEY, at(2026, month, 30)).append(ANN) == before + 1
        head = read_head(tmp_path, KEY)
        torn = to_line(KEY, ANN, head.seq + 1, at(2026, month, 30)(), head.hash).to_bytes()[:-1]
        assert seqs(tmp_path) == list(range(1, head.seq + 1))
    assert problems(tmp_path) == []


def test_what_cannot_be_written_raises_and_heals(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log", KEY)
    log.append(ANN)
    many = View("dana", "support", "affected", subjects=[Subject("x" * 100, ("b" * LONGEST_LINE,))])
    with pytest.raises(ValueError, match="too long"):
        log.append(many)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        AccessLog(tmp_path / "file", KEY).append(ANN)
    assert log.append(ANN) == 2


def test_a_disk_that_is_full_lets_nothing_be_acknowledged(tmp_path: Path) -> None:
    """A limit of the file's size stands for the full disk: it cuts a write off in the middle of the line."""
    AccessLog(tmp_path, KEY, at(2026, 11, 1)).append(ANN)
    size = files(tmp_path)[0].stat().st_size
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path\n"
        "from tests.audit.logs import ANN, KEY, at\n"
        "from pipeline.audit import AccessLog\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 100}, {size + 100}))\n"
        "AccessLog(Path(sys.argv[1]), KEY, at(2026, 11, 2)).append(ANN)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "OSError" in done.stderr
    assert files(tmp_path)[0].stat().st_size == size + 100
    assert problems(tmp_path) == []
    assert AccessLog(tmp_path, KEY, at(2026, 11, 3)).append(ANN) == 2
    assert [entry.at.day for entry in read_entries(tmp_path)] == [1, 3]
    assert problems(tmp_path) == []


def test_an_entry_is_on_the_disk_before_the_head_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls of the operating system are made, and watched as they are."""
    seen: list[str] = []
    synced, replaced = os.fsync, os.replace

    def watched_sync(handle: int) -> None:
        seen.append(f"fsync {Path(f'/proc/self/fd/{handle}').readlink().name.partition('.json.')[0]}")
        synced(handle)

    def watched_replace(source: Path, target: Path) -> None:
        seen.append(f"replace {target.name}")
        replaced(source, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    AccessLog(tmp_path, KEY, at(2026, 11, 5)).append(ANN)
    entry = seen.index("fsync 2026-11.jsonl")
    assert "replace head.json" in seen[:entry]  # a log without a head is one whose head was removed
    renamed = seen.index("replace head.json", entry)
    assert "fsync head" in seen[entry:renamed]
    assert f"fsync {tmp_path.name}" in seen[renamed:]


def test_months_follow_each_other_without_gaps(tmp_path: Path) -> None:
    for moment in [(2026, 11, 30, 23, 59), (2026, 12, 1), (2027, 1, 1), (2026, 12, 31), (2027, 2, 1)]:
        AccessLog(tmp_path, KEY, at(*moment)).append(ANN)
    assert {path.stem: path.read_bytes().count(b"\n") for path in files(tmp_path)} == {
        "2026-11": 1,
        "2026-12": 1,
        "2027-01": 2,
        "2027-02": 1,
    }
    assert seqs(tmp_path) == [1, 2, 3, 4, 5]
    assert problems(tmp_path) == []


def test_appending_reads_one_line_only(tmp_path: Path) -> None:
    log = AccessLog(tmp_path, KEY, at(2026, 11, 1))
    log.append(View("a" * 1_000_000, "support", "user"))
    for _ in range(3):
        log.append(ANN)
    head = read_head(tmp_path, KEY)
    assert head.offset > 1_000_000
    with files(tmp_path)[0].open("r+b") as file:
        file.seek(head.offset)
        last = file.readline()
        file.seek(0)
        file.write(last)  # on which appending would go on wrongly, if it read from the beginning
    assert log.append(ANN) == 5


@settings(max_examples=60, deadline=None)
@given(
    view=st.builds(
        View,
        st.text(max_size=9),
        st.text(max_size=9),
        st.text(max_size=9),
        st.text(max_size=9),
        st.lists(st.builds(Subject, st.none() | st.text(max_size=4), st.tuples(st.text(max_size=4))), max_size=2),
        st.none() | st.text(alphabet=st.characters(), max_size=20),
        st.sampled_from(["shown", "refused", "nothing"]),
        st.integers(0, 2**40),
    )
)
def test_any_text_is_read_back(tmp_path_factory: pytest.TempPathFactory, view: View) -> None:
    folder = tmp_path_factory.mktemp("log")
    AccessLog(folder, KEY).append(view)
    (entry,) = read_entries(folder)
    for name in ("actor", "role", "action", "target", "outcome", "rows"):
        assert getattr(entry, name) == getattr(view, name)
    assert entry.why == (view.why or None)
    assert [one.businesses for one in entry.subjects] == [one.businesses for one in view.subjects]
    assert [one.user is None for one in entry.subjects] == [one.user is None for one in view.subjects]
    assert problems(folder) == []


def test_an_erased_reason_is_gone_and_the_chain_holds(tmp_path: Path) -> None:
    log = AccessLog(tmp_path, KEY, at(2026, 11, 5))
    for number in range(3):
        log.append(View('"seq":9,', "support", "user", why=f"secret {number}"))
    later = AccessLog(tmp_path, KEY, at(2026, 12, 5))
    later.append(View("dana", "support", "user", why="secret 3"))
    kept = str(read_head(tmp_path, KEY))
    (tmp_path / "2026-10.jsonl.tmp").write_text("secret 1")  # as a kill in the middle of an erasure leaves it
    assert later.erase_why([2, 4], "fay", "operator") == 5
    assert [entry.why for entry in read_entries(tmp_path)] == ["secret 0", None, "secret 2", None, None]
    assert b"secret 1" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    (entry,) = read_entries(tmp_path, action="erased text")
    assert (entry.actor, entry.role, entry.erased) == ("fay", "operator", (2, 4))
    assert problems(tmp_path, kept) == []
    assert later.append(ANN) == 6  # after a file that became shorter than its head says
    assert later.append(ANN) == 7
    assert problems(tmp_path, kept) == []


def test_an_erasure_that_was_broken_off_is_found_and_done_again(tmp_path: Path) -> None:
    log = AccessLog(tmp_path, KEY, at(2026, 11, 5))
    log.append(ANN)
    before = files(tmp_path)[0].read_bytes()
    log.erase_why([1], "fay", "operator")
    note = files(tmp_path)[0].read_bytes().splitlines(keepends=True)[1]
    files(tmp_path)[0].write_bytes(before + note)
    assert problems(tmp_path) == [
        "2026-11.jsonl, line 1, seq 1: its reason was to be erased and still stands; erase it again"
    ]
    log.erase_why([1], "fay", "operator")
    assert problems(tmp_path) == []


@pytest.mark.parametrize("wanted", [[], [0], [11], [1, 99]])
def test_only_reasons_of_entries_that_are_there_are_erased(tmp_path: Path, wanted: list[int]) -> None:
    log = three_months(tmp_path)
    with pytest.raises(ValueError, match="has entries 1 to 10"):
        log.erase_why(wanted, "fay", "operator")
    assert seqs(tmp_path) == list(range(1, 11))


def test_a_user_and_the_secret_are_not_in_the_files(tmp_path: Path) -> None:
    AccessLog(tmp_path, KEY).append(View("dana", "support", "user", subjects=[Subject("user-4711", ("b1",))]))
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"user-4711" not in written
    assert KEY.hex().encode() not in written
    assert json.loads(files(tmp_path)[0].read_bytes())["entry"]["subjects"][0]["businesses"] == ["b1"]


def test_a_line_that_cannot_be_read_stops_the_reading(tmp_path: Path) -> None:
    log = three_months(tmp_path)
    path = files(log.folder)[0]
    for broken in (b"{}\n", b'{"entry":{"seq":1},"hash":"","why":null}\n', b"\xff\n"):
        path.write_bytes(broken)
        with pytest.raises(AccessLogError, match=r"2026-10\.jsonl, line 1"):
            seqs(tmp_path)

"""Backups by restic: what comes back is what was there, erasures hold, and after their days nothing erased is left."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.privacy import erase, subject_of
from pipeline.privacy.backup import BackupError, Repository, back_up, newest_restores, restore
from pipeline.settings import Settings
from pipeline.tombstones import ErasedError
from pipeline.warehouse import connect, live_files
from tests.buckets import Bucket
from tests.ingest.deliveries import House
from tests.privacy.houses import house_in, line
from tests.privacy.test_erasing_other_things import trail
from tests.privacy.town import found_in

pytestmark = pytest.mark.skipif(shutil.which("restic") is None, reason="restic is not installed")
DAY = datetime(2026, 6, 1, 1, tzinfo=UTC)
WORDS = ["ann@example.com", 'Ann "<i>" Doe']


def with_backups(house: House) -> House:
    """A house with a place for backups beside it."""
    house.settings = replace(house.settings, backup=house.settings.warehouse.parent / "backup")
    return house


@pytest.fixture
def house(house: House) -> House:
    """The small house, of which there is no backup yet."""
    return with_backups(house)


@pytest.fixture(scope="module")
def built_and_backed_up(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backed_up") / "house"
    shutil.copytree(built, folder)
    back_up(with_backups(house_in(folder)).settings, DAY)
    return folder


@pytest.fixture
def backed_up(built_and_backed_up: Path, tmp_path: Path) -> House:
    """A copy of the small house and of its backup of `DAY`."""
    shutil.copytree(built_and_backed_up, tmp_path / "house")
    return with_backups(house_in(tmp_path / "house"))


def empty_machine(house: House, folder: Path, **more: object) -> House:
    """The same settings on a machine that has nothing but the backups."""
    folder.mkdir()
    shutil.copytree(Path(str(house.settings.users)), folder / "users")
    other = house_in(folder)
    other.settings = replace(other.settings, backup=house.settings.backup, **more)  # type: ignore[arg-type]
    return other


def test_on_an_empty_machine_all_is_as_it_was(house: House, tmp_path: Path) -> None:
    before = house.tables()
    done = back_up(house.settings, DAY)
    assert done["warehouse"]["files"] > 60
    other = empty_machine(house, tmp_path / "other")
    restored = restore(other.settings)
    assert restored.at == DAY
    assert other.tables() == before
    assert {path.name for path in live_files(other.settings, "acts")} == {
        path.name for path in live_files(house.settings, "acts")
    }
    shutil.copytree(house.landing, other.landing, dirs_exist_ok=True)
    other.deliver("web/later.log", line(55, "u3", "/later", "k3"))
    assert other.run().lines["kept"] == 1
    other.assert_adds_up()


def test_the_next_one_adds_what_is_new_only(house: House) -> None:
    first = back_up(house.settings, DAY)
    second = back_up(house.settings, DAY + timedelta(days=1))
    assert second["warehouse"]["added"] < first["warehouse"]["added"] / 10
    assert second["expired"] == 0


def test_a_day_is_restored_as_it_ended(backed_up: House, tmp_path: Path) -> None:
    before = backed_up.tables()
    backed_up.deliver("web/later.log", line(55, "u3", "/later", "k3"))
    backed_up.run()
    back_up(backed_up.settings, DAY + timedelta(days=2))
    for number, day in enumerate((date(2026, 6, 1), date(2026, 6, 2))):
        other = empty_machine(backed_up, tmp_path / f"other-{number}")
        assert restore(other.settings, day).at == DAY
        assert other.tables() == before
    with pytest.raises(BackupError, match="no backup of 2026-05-31 or before; there are of 2026-06-01, 2026-06-03"):
        restore(empty_machine(backed_up, tmp_path / "early").settings, date(2026, 5, 31))


def test_what_was_erased_since_is_erased_in_what_is_restored(house: House, tmp_path: Path) -> None:
    """The machine is lost right after the erasure, before another backup."""
    back_up(house.settings, DAY)
    erase(house.settings, [subject_of("user", "u1", None, datetime.now(UTC))])
    after = house.tables()
    other = empty_machine(house, tmp_path / "other")
    restore(other.settings)
    assert found_in(other.settings.warehouse, WORDS) == []
    assert other.tables() == after


def test_without_the_ledger_of_what_was_erased_a_restored_warehouse_is_refused(house: House, tmp_path: Path) -> None:
    erase(house.settings, [subject_of("user", "u1", None, datetime.now(UTC))])
    back_up(house.settings, DAY)
    other = empty_machine(house, tmp_path / "other")
    restore(other.settings)
    shutil.rmtree(other.settings.privacy)
    with pytest.raises(ErasedError, match="erasure 1 was made here"):
        connect(other.settings)


def everything_in(settings: Settings, folder: Path, most: int | None = None) -> list[str]:
    """Every word found in what any snapshot restores, or some of the first do."""
    found = []
    repository = Repository(settings)
    for number, snapshot in enumerate(repository.snapshots()[:most]):
        repository.restore(snapshot, folder / str(number))
        found += found_in(folder / str(number), WORDS)
    return found


def test_after_thirty_days_no_backup_holds_what_was_erased_though_backups_stalled(
    backed_up: House, tmp_path: Path
) -> None:
    back_up(backed_up.settings, DAY + timedelta(days=3))
    erase(backed_up.settings, [subject_of("user", "u1", None, datetime.now(UTC))])
    back_up(backed_up.settings, DAY + timedelta(days=4))
    assert everything_in(backed_up.settings, tmp_path / "before", 1) != []
    size = sum(path.stat().st_size for path in (tmp_path / "house" / "backup").rglob("*") if path.is_file())
    done = back_up(backed_up.settings, DAY + timedelta(days=3 + 29, minutes=1))
    assert done["expired"] > 0
    kinds = [one.kind for one in Repository(backed_up.settings).snapshots()]
    assert kinds.count("warehouse") == 2
    assert everything_in(backed_up.settings, tmp_path / "after") == []
    assert sum(path.stat().st_size for path in (tmp_path / "house" / "backup").rglob("*") if path.is_file()) < size
    Repository(backed_up.settings).check(with_data=True)
    unused = subprocess.run(
        ["restic", "prune", "--dry-run", "--max-unused", "0"],
        env={**os.environ, **environment(backed_up.settings)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "unused size after prune: 0 B" in unused.replace(
        "unused size after prune: 0.000 B", "unused size after prune: 0 B"
    )


def environment(settings: Settings) -> dict[str, str]:
    from pipeline.audit import access_key
    from pipeline.audit.keys import keyed

    return {
        "RESTIC_REPOSITORY": str(settings.backup),
        "RESTIC_PASSWORD": keyed(access_key(settings.secret), "backup", b"restic"),
    }


def test_what_is_too_old_goes_also_where_no_backup_can_be_made(
    backed_up: House, monkeypatch: pytest.MonkeyPatch
) -> None:

    def full(*_: object) -> int:
        raise BackupError("no space left")

    monkeypatch.setattr(Repository, "add", full)
    with pytest.raises(BackupError, match="no space left"):
        back_up(backed_up.settings, DAY + timedelta(days=29))
    assert Repository(backed_up.settings).snapshots() == []


def test_the_check_says_that_the_newest_restores_and_how_old_it_is(house: House) -> None:
    assert not newest_restores(house.settings).passed
    back_up(house.settings, DAY)
    found = newest_restores(house.settings, DAY + timedelta(hours=2))
    assert found.passed
    with connect(house.settings) as connection:
        ((lines,),) = connection.sql("select count(*) from raw_requests").fetchall()
    assert int(str(found.numbers["rows"])) > lines
    late = newest_restores(house.settings, DAY + timedelta(hours=37))
    assert (late.passed, late.numbers["hours"]) == (False, 37.0)
    spoil(house)
    with pytest.raises(BackupError):
        newest_restores(house.settings, DAY)


def spoil(house: House) -> None:
    """Break every pack at its beginning, where what it holds is."""
    assert isinstance(house.settings.backup, Path)
    packs = [path for path in (house.settings.backup / "data").rglob("*") if path.is_file()]
    for path in packs:
        path.chmod(0o600)
        path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def test_the_place_may_be_an_object_store(house: House, tmp_path: Path, bucket: Bucket) -> None:
    house.settings = replace(house.settings, backup=f"s3://{bucket.name}/trail/backups")
    back_up(house.settings, DAY)
    assert newest_restores(house.settings, DAY).passed
    erase(house.settings, [subject_of("user", "u1", None, datetime.now(UTC))])  # its hashes go there at once
    before = set(bucket.keys("trail/backups/data/"))
    other = empty_machine(house, tmp_path / "other")
    restored = restore(other.settings)
    assert restored.at == DAY
    assert other.tables() == house.tables()
    back_up(house.settings, DAY + timedelta(days=30))
    assert everything_in(house.settings, tmp_path / "after") == []
    assert before - set(bucket.keys("trail/backups/data/"))
    Repository(house.settings).check(with_data=True)


def test_it_is_encrypted_and_opened_by_the_secret_alone(backed_up: House, tmp_path: Path) -> None:
    assert found_in(tmp_path / "house" / "backup", [*WORDS, "/assets/a.js"]) == []
    other = empty_machine(backed_up, tmp_path / "other", secret="another")
    with pytest.raises(BackupError, match="no backups that the setting `secret` opens"):
        restore(other.settings)


def test_nothing_is_restored_over_what_is_there(backed_up: House) -> None:
    with pytest.raises(BackupError, match="there is something already"):
        restore(backed_up.settings)
    with pytest.raises(BackupError, match="'backup' is not set"):
        back_up(replace(backed_up.settings, backup=None))


_CHILD = """
import sys
from pathlib import Path
from pipeline.privacy.backup import back_up
from pipeline.settings import load_settings
settings = load_settings(Path(sys.argv[1]), {})
print("ready", flush=True)
sys.stdin.readline()
back_up(settings)
print("done", flush=True)
"""


def kill(config: Path, after_s: float) -> bool:
    """Back up in a process of its own and kill it, with the restic that it started; tell whether it was at work."""
    command = [sys.executable, "-c", _CHILD, str(config)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd(), start_new_session=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.stdin.write(b"go\n")
        child.stdin.flush()
        time.sleep(after_s)
        os.killpg(child.pid, signal.SIGKILL)
        return b"done" not in child.stdout.read()


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_next_one_is_whole(house: House, tmp_path: Path, kills: int) -> None:
    config = tmp_path / "house" / "trail.toml"
    config.write_text('landing = "landing"\nwarehouse = "warehouse"\nbackup = "backup"\n', encoding="utf-8")
    began = time.monotonic()
    back_up(house.settings)
    took_s = time.monotonic() - began
    moments, killed = random.Random(7), 0
    while killed < kills:
        if kill(config, moments.random() * took_s):
            killed += 1
        else:
            took_s *= 0.8  # it was done by then
    back_up(house.settings)
    Repository(house.settings).check(with_data=True)
    other = empty_machine(house, tmp_path / "other")
    restore(other.settings)
    assert other.tables() == house.tables()


def test_the_commands(house: House, tmp_path: Path) -> None:
    config = tmp_path / "house" / "trail.toml"
    trail(house, "due")
    config.write_text(config.read_text(encoding="utf-8") + 'backup = "backup"\n', encoding="utf-8")
    from click.testing import CliRunner

    from pipeline.cli import main

    def run(*arguments: str) -> str:
        return CliRunner().invoke(main, ["--config", str(config), *arguments]).output

    assert "backed up; 0 snapshots were too old" in run("backup")
    assert f"{datetime.now(UTC):%Y-%m-%d}" in run("backup", "list")
    assert "restores: " in run("backup", "check")
    assert "there is something already" in run("restore")
    shutil.rmtree(house.settings.warehouse)
    assert "restored as of" in run("restore", "--at", f"{datetime.now(UTC):%Y-%m-%d}")
    assert len(house.rows("from users")) == 3

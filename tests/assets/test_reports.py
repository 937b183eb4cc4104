"""The weekly page as an asset: which weeks are written, when one is written anew, and what a failing one leaves."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets import jobs
from assets.definitions import defs
from assets.launch import StepFailedError, run_everything
from pipeline.report import Week, due_weeks
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import StagedState, connect, sweep
from tests.report.pages import Page, catalogue, lines

WEEKS = [Week(date(2026, 2, 2) + timedelta(weeks=number)) for number in range(5)]
LAST = WEEKS[-1].last
USERS = [f"u{number}" for number in range(6)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five whole weeks, of which the log has the first day and each Sunday, after a first run."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "trail.toml").write_text('landing = "landing"\nwarehouse = "warehouse"\n', encoding="utf-8")
    (folder / "landing" / "web").mkdir(parents=True)
    days = [WEEKS[0].first, *(week.last for week in WEEKS)]
    (folder / "landing" / "web" / "a.json").write_bytes(lines(days, USERS))
    config = folder / "trail.toml"
    assert "weekly_report" in run_everything(load_settings(config, {}), config).seconds
    return folder


@pytest.fixture
def house(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Path]:
    """A copy of it, and its configuration, which Dagster reads."""
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "trail.toml"
    monkeypatch.setenv("TRAIL_CONFIG", str(config))
    return load_settings(config, {}), config


def pages(settings: Settings) -> dict[str, str]:
    folder = settings.reports_folder
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())} if folder.exists() else {}


def users_of(page: str) -> str:
    """How many users a page says that there were."""
    return Page(page).table("Users, each counted once")["All did anything"][0]


def test_a_run_writes_the_last_weeks_and_a_second_one_none(house: tuple[Settings, Path]) -> None:
    settings, config = house
    assert settings.reports_folder == settings.warehouse / "_reports"
    written = pages(settings)
    assert list(written) == [f"week-{week.first}.html" for week in WEEKS[-4:]]
    assert [users_of(page) for page in written.values()] == ["6"] * 4
    assert "weekly_report" not in run_everything(settings, config).seconds
    assert pages(settings) == written


def test_late_lines_and_another_catalogue_write_the_pages_that_they_change(house: tuple[Settings, Path]) -> None:
    settings, config = house
    before = pages(settings)
    late = lines([WEEKS[-2].first], ["late"])
    (config.parent / "landing" / "web" / "late.json").write_bytes(late)
    run_everything(settings, config)
    after = pages(settings)
    changed = [name for name in before if before[name] != after[name]]
    assert changed == [f"week-{week.first}.html" for week in WEEKS[-2:]]
    assert [users_of(after[name]) for name in changed] == ["7", "6"]
    said = f'features = "{catalogue(config.parent, "Notes of a session")}"\n{config.read_text(encoding="utf-8")}'
    config.write_text(said, encoding="utf-8")
    run_everything(load_settings(config, {}), config)
    assert all("Notes of a session" in page for page in pages(settings).values())
    catalogue(config.parent, "Another title")
    run_everything(load_settings(config, {}), config)
    assert all("Another title" in page for page in pages(settings).values())


def test_what_is_not_over_is_not_due(house: tuple[Settings, Path]) -> None:
    settings, _ = house
    for path in settings.reports_folder.iterdir():
        path.unlink()
    state = StagedState(settings)
    assert due_weeks(state)[0] == WEEKS[-1]
    assert due_weeks(state, WEEKS[-1].last)[0] == WEEKS[-2], "Sunday is not over"
    assert due_weeks(state, WEEKS[-1].last + timedelta(days=1))[0] == WEEKS[-1]


def test_pages_go_into_the_folder_that_is_configured(house: tuple[Settings, Path]) -> None:
    _, config = house
    config.write_text(f'reports = "handed/around"\n{config.read_text(encoding="utf-8")}', encoding="utf-8")
    settings = load_settings(config, {})
    run_everything(settings, config)
    assert settings.reports_folder == config.parent / "handed" / "around"
    assert len(pages(settings)) == 4


def test_a_page_that_cannot_be_written_keeps_no_table_from_being_published(house: tuple[Settings, Path]) -> None:
    settings, config = house
    config.write_text(f'reports = "in-the-way"\n{config.read_text(encoding="utf-8")}', encoding="utf-8")
    (config.parent / "in-the-way").write_text("a file", encoding="utf-8")
    (config.parent / "landing" / "web" / "late.json").write_bytes(lines([LAST], ["late"]))
    with dg.DagsterInstance.ephemeral() as instance:
        done = (
            defs()
            .resolve_job_def("daily")
            .execute_in_process(
                instance=instance,
                tags=jobs.range_tags(WEEKS[0].first, LAST),
                raise_on_error=False,
            )
        )
    assert [event.step_key for event in done.all_node_events if event.is_step_failure] == ["weekly_report"]
    with connect(settings) as connection:
        assert connection.execute("select count(*) from visits").fetchall() == [(37,)]
    with pytest.raises(StepFailedError, match=r"weekly_report: .*in-the-way"):
        run_everything(load_settings(config, {}), config)
    (config.parent / "in-the-way").unlink()
    run_everything(load_settings(config, {}), config)
    assert len(list((config.parent / "in-the-way").iterdir())) == 4


@pytest.mark.parametrize("job", ["daily", "refresh_people"])
def test_jobs_of_dagster_write_them_too(house: tuple[Settings, Path], job: str) -> None:
    settings, _ = house
    for path in settings.reports_folder.iterdir():
        path.unlink()
    with dg.DagsterInstance.ephemeral() as instance:
        day, tags = ("2026-03-15", jobs.range_tags(LAST, LAST)) if job == "daily" else (None, {})
        done = defs().resolve_job_def(job).execute_in_process(instance=instance, partition_key=day, tags=tags)
        told = [
            event.step_materialization_data.materialization.metadata
            for event in done.all_node_events
            if event.is_step_materialization and event.step_key == "weekly_report"
        ]
    assert len(pages(settings)) == 4
    assert told[0]["pages"].value == [str(settings.reports_folder / f"week-{week.first}.html") for week in WEEKS[:0:-1]]


def test_while_something_is_stale_no_page_is_written(house: tuple[Settings, Path]) -> None:
    settings, _ = house
    state = StagedState(settings)
    assert due_weeks(state) == []
    state.facts["built"]["lifecycle"] = {}
    (settings.reports_folder / f"week-{WEEKS[-1].first}.html").unlink()
    assert due_weeks(state) == []
    assert due_weeks(StagedState(settings)) == [WEEKS[-1]]


def test_sweeping_leaves_them(house: tuple[Settings, Path]) -> None:
    settings, config = house
    before = pages(settings)
    (config.parent / "landing" / "web" / "late.json").write_bytes(lines([WEEKS[0].first], ["late"]))
    run_everything(settings, config)
    swept = sweep(replace(settings, grace_hours=0))
    assert swept
    assert list(pages(settings)) == list(before)
    assert not [path for path in swept if re.search("_reports", str(path))]

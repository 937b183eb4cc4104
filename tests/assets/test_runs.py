"""The assets as Dagster runs them: a whole run, a failing one, a backfill, the sensors and the schedule."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest

from assets import jobs, launch
from assets.definitions import defs
from assets.derived import BY_DAY_ASSETS
from assets.launch import StepFailedError, run_everything
from assets.resources import WarehouseResource
from pipeline.build import BY_DAY, why_stale
from pipeline.features import CatalogueError
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import StagedState, connect
from tests.buckets import Bucket
from tests.ingest.test_delivery import line

USER = {"time": "2026-03-02T10:00:00+00:00", "remote_addr": "203.0.113.7", "method": "GET", "target": "/clients/1"}
USER |= {
    "status": "200",
    "user_id": "u1",
    "business_id": "b1",
    "visitor_id": "v1",
    "user_agent": "Mozilla/5.0 Firefox/1",
}


def json_line(**more: str) -> bytes:
    return json.dumps({**USER, **more}).encode() + b"\n"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Path]:
    """Three days of lines in two sources, and a configuration that Dagster reads."""
    config = tmp_path / "trail.toml"
    config.write_text('landing = "landing"\nwarehouse = "warehouse"\n')
    (tmp_path / "landing" / "web").mkdir(parents=True)
    (tmp_path / "landing" / "app").mkdir()
    lines = [line(second).replace(b"02/Mar", f"{day:02}/Mar".encode()) for day in (1, 2, 3) for second in range(day)]
    (tmp_path / "landing" / "web" / "a.log").write_bytes(b"".join(lines))
    (tmp_path / "landing" / "app" / "a.json").write_bytes(json_line() + json_line(target="/api/v1/x", status="500"))
    monkeypatch.setenv("TRAIL_CONFIG", str(config))
    return load_settings(config, {}), config


def counts(settings: Settings) -> dict[str, int]:
    with connect(settings) as connection:
        names = ("raw_requests", "requests", "clickstream", "visits", "user_days", "user_lookup")
        return {name: connection.execute(f"select count(*) from {name}").fetchall()[0][0] for name in names}


def test_a_run_does_everything_and_a_second_one_nothing(house: tuple[Settings, Path]) -> None:
    settings, config = house
    summary = run_everything(settings, config)
    assert summary.lines == {"read": 8, "kept": 8, "rejected": 0, "duplicate": 0, "blank": 0, "erased": 0}
    assert summary.ranges == [(date(2026, 3, 1), date(2026, 3, 3))]
    assert counts(settings)["requests"] == 8
    assert counts(settings)["user_lookup"] == 1
    files = sorted(settings.warehouse.rglob("*.parquet"))
    again = run_everything(settings, config)
    assert (again.lines["read"], again.ranges) == (0, [])
    assert sorted(settings.warehouse.rglob("*.parquet")) == files


def test_a_failing_step_publishes_nothing(house: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    settings, config = house
    import assets.derived

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("no more room")

    with monkeypatch.context() as broken:
        broken.setattr(assets.derived, "build_requests", fail)
        with pytest.raises(StepFailedError, match=r"requests: .*no more room"):
            run_everything(settings, config)
    assert counts(settings)["requests"] == 0
    assert StagedState(settings).files("raw_requests")
    run_everything(settings, config)
    assert counts(settings)["requests"] == 8


def test_a_backfill_of_a_range_is_one_run_with_each_days_own_count(house: tuple[Settings, Path]) -> None:
    settings, config = house
    run_everything(settings, config)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [asset for asset in BY_DAY_ASSETS if asset.keys == {dg.AssetKey("requests")}],
            instance=instance,
            resources={"warehouse": WarehouseResource(config=str(config))},
            tags={
                "dagster/asset_partition_range_start": "2026-03-01",
                "dagster/asset_partition_range_end": "2026-03-03",
            },
        )
        assert result.success
        rows = {
            event.partition: event.step_materialization_data.materialization.metadata[
                "dagster/partition_row_count"
            ].value
            for event in result.get_asset_materialization_events()
        }
    assert rows == {"2026-03-01": 1, "2026-03-02": 4, "2026-03-03": 3}


def test_checks_pass_on_a_whole_run(house: tuple[Settings, Path]) -> None:
    settings, config = house
    run_everything(settings, config)
    job = defs().resolve_job_def("daily")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, partition_key="2026-03-02")
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == 28
    assert all(evaluation.passed for evaluation in evaluations), [e for e in evaluations if not e.passed]


def test_landing_sensor_asks_once_for_what_is_new(house: tuple[Settings, Path]) -> None:
    settings, config = house
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance=instance) as context:
        first = jobs.new_lines(context)
        assert isinstance(first, dg.RunRequest)
        assert jobs.new_lines(context) == first
        run_everything(settings, config)
        assert isinstance(jobs.new_lines(context), dg.SkipReason)


def test_landing_sensor_leaves_what_is_late_in_an_object_store_to_the_daily_run(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "trail.toml"
    config.write_text(f'landing = "s3://{bucket.name}"\nwarehouse = "warehouse"\n')
    monkeypatch.setenv("TRAIL_CONFIG", str(config))
    monkeypatch.setattr("pipeline.ingest.stores.PAGE_KEYS", 1)
    today = datetime.now(UTC)
    for ago in (0, 4, 5, 6):
        bucket.put(f"web/{today - timedelta(days=ago):%Y/%m/%d}/a.log", line(ago))
    assert run_everything(load_settings(config, {}), config).lines["kept"] == 4
    bucket.put(f"web/{today - timedelta(days=5):%Y/%m/%d}/late.log", line(10))
    assert isinstance(jobs.new_lines(dg.build_sensor_context()), dg.SkipReason)
    bucket.put(f"web/{today:%Y/%m/%d}/b.log", line(11))
    asked = jobs.new_lines(dg.build_sensor_context())
    assert isinstance(asked, dg.RunRequest)
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs().resolve_job_def("ingest_new_lines")
        assert job.execute_in_process(instance=instance, tags=asked.tags).success
    assert isinstance(jobs.new_lines(dg.build_sensor_context()), dg.SkipReason)
    assert run_everything(load_settings(config, {}), config).lines["kept"] == 1
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    skipped = jobs.new_lines(dg.build_sensor_context())
    assert isinstance(skipped, dg.SkipReason)
    assert "check AWS_ENDPOINT_URL" in str(skipped.skip_message)


def test_stale_sensor_asks_for_just_the_days_that_late_lines_touch(house: tuple[Settings, Path]) -> None:
    settings, config = house
    run_everything(settings, config)
    late = line(7).replace(b"02/Mar/2026", b"20/Feb/2026")
    (config.parent / "landing" / "web" / "late.log").write_bytes(late)
    launch._materialize([jobs_raw()], {}, config, launch.RunSummary())
    (asked,) = list(cast("Any", jobs.stale_days()))
    assert isinstance(asked, dg.RunRequest)
    assert (asked.tags["dagster/asset_partition_range_start"], asked.tags["dagster/asset_partition_range_end"]) == (
        "2026-02-20",
        "2026-02-20",
    )
    assert counts(settings)["raw_requests"] == 8, "what is only staged is not seen"
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs().resolve_job_def("refresh_days").execute_in_process(instance=instance, tags=asked.tags)
        assert done.success
        told = [
            (event.step_key, event.step_materialization_data.materialization.metadata)
            for event in done.all_node_events
            if event.is_step_materialization
        ]
    days = {step: metadata["days"].value for step, metadata in told if "days" in metadata}
    # Without a catalogue no day has a feature, and no page was seen.
    nothing_to_make_them_of = {"feature_usage", "friction", "paths"}
    assert [days.pop(table) for table in nothing_to_make_them_of] == [{}, {}, {}]
    built = {"requests", *BY_DAY} - nothing_to_make_them_of
    assert days == {table: {"2026-02-20": "never built"} for table in built}
    (config.parent / "landing" / "web" / "later.log").write_bytes(late.replace(b" 7 ", b" 8 "))
    launch._materialize([jobs_raw()], {}, config, launch.RunSummary())
    state = StagedState(settings)
    assert why_stale(state, "requests") == {date(2026, 2, 20): "raw_requests of the day"}
    assert why_stale(state, "acts") == {}


def jobs_raw() -> dg.AssetsDefinition:
    from assets.raw import raw_tables

    return raw_tables


def test_a_wrong_catalogue_is_said_before_anything_is_read(house: tuple[Settings, Path]) -> None:
    settings, config = house
    catalogue = config.parent / "features.toml"
    catalogue.write_text("[features.notes]\nowner = 1\n", encoding="utf-8")
    config.write_text(f'features = "{catalogue}"\n{config.read_text(encoding="utf-8")}', encoding="utf-8")
    with pytest.raises(CatalogueError, match="feature 'notes'"):
        run_everything(replace(settings, features=catalogue), config)
    assert not StagedState(settings).exists


def test_daily_schedule_asks_for_yesterday() -> None:
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 3, 0, 20, tzinfo=UTC))
    asked = jobs.every_day(context)
    assert isinstance(asked, dg.RunRequest)
    assert asked.partition_key == "2026-03-02"


def test_everything_that_should_run_is_on() -> None:
    repository = defs().get_repository_def()
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in repository.sensor_defs)
    assert all(schedule.default_status == dg.DefaultScheduleStatus.RUNNING for schedule in repository.schedule_defs)


def test_the_instance_loads_and_writes_under_its_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((Path(__file__).parents[2] / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("TRAIL_STATE", str(tmp_path / "state"))
    with dg.DagsterInstance.get() as instance:
        assert instance.telemetry_enabled is False
    assert (tmp_path / "state").is_dir()
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]

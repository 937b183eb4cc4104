"""Places are checked against the regions that are allowed, before a byte is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.places import PlaceError, check_places
from pipeline.privacy.backup import back_up
from pipeline.settings import SettingError, Settings, load_settings
from pipeline.warehouse import open_run
from tests.buckets import Bucket

HERE = {"landing": "us-east-1", "warehouse": "us-west-2", "users": "us-east-1", "backup": "us-east-2"}


def settings(folder: Path, places: dict[str, str] | None = None, **more: object) -> Settings:
    named = {"landing": folder / "landing", "warehouse": folder / "warehouse", "privacy": folder / "privacy"}
    asked = {**named, "regions": ("us-*",), "places": HERE if places is None else places, **more}
    return Settings(**asked)  # type: ignore[arg-type]


def test_where_no_region_is_named_anywhere_will_do(tmp_path: Path) -> None:
    check_places(settings(tmp_path, {}, regions=()))


def test_places_that_lie_where_they_may_are_let_pass(tmp_path: Path) -> None:
    check_places(settings(tmp_path, users=str(tmp_path), backup=tmp_path / "backup"))


@pytest.mark.parametrize("name", ["landing", "warehouse", "users", "backup", "privacy", "access_log", "reports"])
def test_one_that_lies_elsewhere_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    asked = settings(
        *(tmp_path, {**HERE, name: "eu-west-1"}),
        users=str(tmp_path),
        backup=tmp_path / "backup",
        reports=tmp_path / "reports",
    )
    message = f"^{name} lies in eu-west-1, and data may lie in us-\\* only"
    with pytest.raises(PlaceError, match=message), open_run(asked):
        pass
    with pytest.raises(PlaceError, match=message):
        back_up(asked)
    assert list(tmp_path.iterdir()) == []


def test_one_of_which_it_is_not_known_is_refused(tmp_path: Path) -> None:
    unknown = {name: region for name, region in HERE.items() if name != "warehouse"}
    with pytest.raises(PlaceError, match=r"not known where warehouse lies.*places = { warehouse = "):
        check_places(settings(tmp_path, unknown))


def test_a_databases_name_tells_where_it_is(tmp_path: Path) -> None:
    url = "postgresql+psycopg://reader@app.abc123.{region}.rds.amazonaws.com/app"
    places = {"landing": "us-east-1", "warehouse": "us-east-1"}
    check_places(settings(tmp_path, places, users=url.format(region="us-gov-west-1")))
    with pytest.raises(PlaceError, match="users lies in eu-central-1"):
        check_places(settings(tmp_path, places, users=url.format(region="eu-central-1")))
    with pytest.raises(PlaceError, match="users lies in eu-central-1, and the setting 'places' says us-east-1"):
        check_places(settings(tmp_path, {**places, "users": "us-east-1"}, users=url.format(region="eu-central-1")))


def test_a_bucket_is_asked_where_it_is(tmp_path: Path, bucket: Bucket) -> None:
    logs = f"s3://{bucket.name}/logs"
    places = {"warehouse": "eu-west-1"}
    check_places(settings(tmp_path, places, landing=logs, regions=("eu-*",)))
    with pytest.raises(PlaceError, match="landing lies in eu-central-1, and data may lie in us-"):
        check_places(settings(tmp_path, HERE | {"landing": "eu-central-1"}, landing=logs))
    with pytest.raises(PlaceError, match="landing lies in eu-central-1, and the setting 'places' says us-east-1"):
        check_places(settings(tmp_path, HERE, landing=logs))
    with pytest.raises(PlaceError, match="cannot be told where bucket nowhere-at-all lies"):
        check_places(settings(tmp_path, places, landing="s3://nowhere-at-all"))


def test_every_command_checks_it_first(tmp_path: Path) -> None:
    config = tmp_path / "trail.toml"
    config.write_text('regions = ["us-*"]\nplaces = { landing = "us-east-1", warehouse = "eu-west-1" }\n', "utf-8")
    result = CliRunner().invoke(main, ["--config", str(config), "run"])
    assert result.exit_code == 1
    assert "warehouse lies in eu-west-1" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["trail.toml"]


@pytest.mark.parametrize("wrong", ["places = 3", 'places = { nothing = "us-east-1" }', "places = { warehouse = 3 }"])
def test_a_wrong_setting_says_so(tmp_path: Path, wrong: str) -> None:
    config = tmp_path / "trail.toml"
    config.write_text(wrong, encoding="utf-8")
    with pytest.raises(SettingError, match=r"places is .*; it must be a table of settings that name places"):
        load_settings(config, {})

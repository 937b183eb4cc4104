"""`trail features` as a person and as a program use it, on the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.features import read_catalogue
from tests.conftest import Demo


def features(demo: Demo, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(demo.paths.config), "features", *arguments])


def told(demo: Demo, *arguments: str) -> Any:
    result = features(demo, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_the_features_are_listed_with_their_use(demo: Demo) -> None:
    found = told(demo, "list")
    assert (found["first_day"], found["last_day"]) == ("2026-02-16", "2026-03-15")
    assert found["version"] == read_catalogue(demo.paths.features).version
    by_name = {row["feature"]: row for row in found["features"]}
    assert by_name["notes"]["title"] == "Session notes"
    assert by_name["notes"]["patterns"] == 3
    assert by_name["notes"]["uses"] > by_name["notes"]["users"] > by_name["notes"]["businesses"] > 1
    assert [name for name, row in by_name.items() if not row["uses"]] == ["export"]
    one_day = told(demo, "list", "--from", "2026-03-04", "--to", "2026-03-04")["features"]
    assert 0 < one_day[0]["uses"] < found["features"][0]["uses"]
    result = features(demo, "list")
    assert "Session notes" in result.output
    assert f"version {found['version']}; 2026-02-16 to 2026-03-15" in result.output


def test_what_no_feature_claims_is_listed(demo: Demo) -> None:
    found = told(demo, "unclaimed")
    assert found["unclaimed"][0]["route"] == "/api/v1/summary"
    assert found["unmet"] == ["export"]
    assert not any("wp-login" in row["route"] for row in found["unclaimed"])
    first = told(demo, "unclaimed", "--limit", "1")
    assert first["unclaimed"] == found["unclaimed"][:1]
    assert first["unclaimed_in_all"] == len(found["unclaimed"])
    result = features(demo, "unclaimed", "--limit", "1")
    assert "features that no request meets: export" in result.output
    assert "the first 1 of them here" in result.output


def test_a_proposal_is_a_catalogue_that_leaves_out_little(demo: Demo, tmp_path: Path) -> None:
    proposed = features(demo, "suggest")
    assert proposed.exit_code == 0, proposed.output
    path = tmp_path / "features.toml"
    path.write_text(proposed.output, encoding="utf-8")
    by_name = {one.name: {said.route for said in one.patterns} for one in read_catalogue(path).features}
    assert by_name["clients"] == {"/clients", "/clients/{id}"}
    assert by_name["clients-notes"] == {"/clients/{id}/notes/{id}", "/api/v1/notes"}  # always used together
    assert "/calendar" in by_name["calendar"]
    assert "etc/passwd" not in proposed.output
    checked = features(demo, "check", str(path))
    assert f"{len(by_name)} features of" in checked.output
    config = tmp_path / "trail.toml"
    config.write_text(f'warehouse = "{demo.settings.warehouse}"\nfeatures = "features.toml"', encoding="utf-8")
    result = CliRunner().invoke(main, ["--config", str(config), "features", "unclaimed", "--json"])
    left = json.loads(result.output)
    assert left["unmet"] == []
    assert all(row["errors"] == row["uses"] for row in left["unclaimed"])


def test_a_wrong_catalogue_is_one_line_with_its_place(demo: Demo, tmp_path: Path) -> None:
    assert features(demo, "check").output.startswith("12 features of 23 patterns, 2 funnels, version ")
    path = tmp_path / "features.toml"
    path.write_text('[features.a]\ndescription = "d"\nowner = "o"\npatterns = [{ route = "a" }]', encoding="utf-8")
    result = features(demo, "check", str(path))
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {path}: feature 'a', pattern 1: route is 'a'; it must be")
    assert result.output.count("\n") == 1


def test_without_a_catalogue_it_says_how_to_make_one(demo: Demo, tmp_path: Path) -> None:
    config = tmp_path / "trail.toml"
    config.write_text(f'warehouse = "{demo.settings.warehouse}"', encoding="utf-8")
    for command in ("list", "check"):
        result = CliRunner().invoke(main, ["--config", str(config), "features", command])
        assert result.exit_code == 1
        assert "`trail features suggest > features.toml` proposes one" in result.output
    result = CliRunner().invoke(main, ["--config", str(config), "features", "unclaimed"])
    assert "/dashboard" in result.output
    result = features(demo, "list", "--from", "2026-03-04", "--to", "2026-03-03")
    assert result.exit_code == 2
    assert "--from 2026-03-04 is after --to 2026-03-03" in result.output

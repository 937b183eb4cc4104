"""`trail features rank`, `trail features next` and `trail define`: what the tables hold, in words, and definitions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.models import load_model, model_names
from pipeline.product.define import define
from pipeline.schemas import TABLES
from pipeline.warehouse import connect
from tests.conftest import Demo


def trail(demo: Demo, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(demo.paths.config), *words])


def test_rank_lists_the_best_first_with_their_intervals(demo: Demo) -> None:
    told = json.loads(trail(demo, "features", "rank", "--json").output)
    scores = {row["feature"]: row for row in told["scores"] if row["measure"] == "score"}
    lines = trail(demo, "features", "rank").output.splitlines()
    head, rows = lines[0].split(), [line.split() for line in lines[1 : len(scores) + 1]]
    assert head[:4] == ["rank", "between", "feature", "score"]
    ranked = [row for row in rows if row[0].isdigit()]
    assert [int(row[0]) for row in ranked] == sorted(int(row[0]) for row in ranked)
    for rank, between, feature, share, *_ in ranked:
        row = scores[feature]
        assert (int(rank), between) == (row["rank"], f"{row['rank_at_best']}-{row['rank_at_worst']}")
        assert share == f"{100 * row['value']:.1f}%"
    assert f"{told['first_day']} to {told['last_day']}, the last whole weeks" in lines[-1]
    assert (told["first_day"], told["last_day"]) == ("2026-03-09", "2026-03-15")


def test_next_says_what_to_do_and_why(demo: Demo) -> None:
    told = json.loads(trail(demo, "features", "next", "--json").output)["candidates"]
    said = trail(demo, "features", "next").output
    assert {row["kind"] for row in told} >= {"fix", "retire"}
    places = [said.index(f"{row['kind']} {row['feature']}") for row in told]
    assert places == sorted(places)
    for row in told:
        assert row["reason"] in said
        assert trail(demo, "sql", row["rows"]).exit_code == 0


def test_nothing_to_do_is_said(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(connection: Any) -> Any:
        return connection.sql("from feature_scores where false")

    monkeypatch.setattr("pipeline.cli.ranking.candidates", none)
    assert "nothing stands out" in trail(demo, "features", "next").output


@pytest.mark.parametrize("name", [*model_names(), "feature_scores"])
def test_a_definition_is_what_computes(name: str) -> None:
    told = define(name)
    for column, _, words in TABLES[name].columns if name in TABLES else ():
        assert column in told
        assert words in told
    if name in model_names():
        header, _, select = load_model(name).sql.partition("\n\n")
        assert all(line.removeprefix("-- ") in told for line in header.splitlines() if line.startswith("-- "))
        assert select.strip() in told
        for step in load_model(name).inputs:
            assert step in TABLES or step not in model_names() or told.count(f"how {step} is made") == 1


def test_a_definition_that_is_none_names_those_alike() -> None:
    found = CliRunner().invoke(main, ["define", "retentoin"])
    assert found.exit_code == 1
    assert "did you mean retention?" in found.output
    assert "wilson" in CliRunner().invoke(main, ["define", "feature_scores"]).output.lower()


def test_definitions_are_those_of_the_tables(demo: Demo) -> None:
    with connect(demo.settings) as connection:
        columns = [name for name, *_ in connection.sql("describe retention").fetchall()]
    told = define("retention")
    assert all(f"  {column} " in told for column in columns)

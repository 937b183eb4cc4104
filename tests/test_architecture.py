"""The house as it is drawn: which room may use which, one name for a table everywhere, a purpose for every file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from assets.definitions import defs
from pipeline.models import REFERENCES, load_model, model_names
from pipeline.schemas import TABLES

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for folder in ("pipeline", "assets", "tests", "sql") for path in (ROOT / folder).rglob("*.py"))
ROOMS = [
    "settings",
    "places",
    "table",
    "schemas",
    "dictionaries",
    "channels",
    "units",
    "formats",
    "tombstones",
    "ingest",
    "enrich",
    "warehouse",
    "features",
    "models",
    "product",
    "people",
    "build",
    "checks",
]
ROOMS += ["plain", "page_templates", "audit", "lookup", "privacy", "beacon", "demo", "web", "report", "cli"]
LONGEST_FILE = 500
# Models that are no tables: what several share.
BETWEEN_STEPS = {"visit_acts", "page_reports", "feature_keys", "unit_days", "scoped_days", "user_units"}
BETWEEN_STEPS |= {"seen_pages", "active_days", "score_days", "funnel_ways", "step_acts"}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", [p for p in MODULES if "pipeline" in p.parts], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_uses_earlier_rooms_only(path: Path) -> None:
    parts = path.relative_to(ROOT / "pipeline").with_suffix("").parts
    if parts == ("__init__",):
        return
    room = parts[0]
    for name in imports(path):
        if name.startswith("pipeline."):
            other = name.split(".")[1]
            assert ROOMS.index(other) <= ROOMS.index(room), f"{room} uses {name}"
        assert not name.startswith("dagster"), f"{path} uses {name}"
        if name.startswith("assets"):
            assert room == "cli", f"{room} uses {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_its_purpose_and_has_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text:
        assert ast.get_docstring(ast.parse(text)), path
    assert text.count("\n") <= LONGEST_FILE, path


def test_a_table_has_one_name() -> None:
    kinds = {spec.key.to_user_string(): spec.kinds for spec in defs().resolve_all_asset_specs()}
    assert {name for name, kind in kinds.items() if kind == {"parquet"}} == set(TABLES)
    assert {name: kind for name, kind in kinds.items() if name not in TABLES} == {
        "weekly_report": {"html"},
        "erasures": {"json"},
        "backups": {"restic"},
    }
    assert set(model_names()) - BETWEEN_STEPS <= set(TABLES)


@pytest.mark.parametrize("name", model_names())
def test_headers_say_what_the_sql_does(name: str) -> None:
    model = load_model(name)
    statement = model.sql.split("\n\n", 1)[1] if "\n\nwith" in model.sql else model.sql
    for table in [*TABLES, *BETWEEN_STEPS, *REFERENCES]:
        reads = f"from {table}\n" in f"{model.sql}\n" or f"join {table}\n" in model.sql or f"join {table} " in model.sql
        reads |= f"from {table} " in model.sql
        assert reads == (table in model.inputs), f"{name}: {table}"
    if name in TABLES:
        assert model.key == TABLES[name].key
    assert ";" not in statement
    for window in model.sql.split("over (")[1:]:
        assert "order by" in window.split(")")[0]

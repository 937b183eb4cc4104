"""A `clickstream` of a few made-up acts, and catalogues written in a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.features import Catalogue, read_catalogue
from pipeline.features.coverage import Period
from pipeline.schemas import TABLES

DAY = date(2026, 3, 2)
PERIOD = Period(DAY, DAY)
_ACT = {"date": DAY, "kind": "page", "method": "GET", "route": "/", "status": 200, "is_bot": False, "visit_id": "v"}


@contextmanager
def clickstream(*acts: Mapping[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with acts of which only what matters is said."""
    schema = TABLES["clickstream"].file_schema.remove_metadata()
    given = pa.Table.from_pylist([_ACT | dict(act) for act in acts], schema=schema)
    with duckdb.connect() as connection:
        connection.register("given", given)
        connection.execute("create table clickstream as from given")
        yield connection


def feature(name: str, patterns: str, more: str = "") -> str:
    """Write a feature."""
    return f'[features.{name}]\ndescription = "d"\nowner = "o"\npatterns = [{patterns}]\n{more}\n'


def catalogue(folder: Path, *features: str) -> Catalogue:
    """Read a catalogue of features that `feature` wrote."""
    path = folder / "features.toml"
    path.write_text("".join(features), encoding="utf-8")
    return read_catalogue(path)

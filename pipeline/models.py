"""Runs the models of `sql/` on DuckDB: finds inputs, binds parameters, gives rows in the table's schema.

What a table means is in its SQL; which days are built, and where rows go, is in `build`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.channels import channel_rules
from pipeline.features import feature_rules, funnel_steps
from pipeline.schemas import TABLES
from pipeline.settings import Settings
from pipeline.units import scopes, segment_kinds, units

# Relations that are no tables: what the project brings itself, and what a file that the settings name says.
REFERENCES: Mapping[str, Callable[[Settings], pa.Table]] = {
    "channel_rules": lambda _: channel_rules(),
    "feature_rules": feature_rules,
    "funnel_steps": funnel_steps,
    "scopes": lambda _: scopes(),
    "segment_kinds": lambda _: segment_kinds(),
    "units": lambda _: units(),
}
SQL_FOLDER = Path(__file__).resolve().parents[1] / "sql"
_HEADER = re.compile(r"^-- (?P<name>\w+): (?P<what>.+)$")
_FIELD = re.compile(r"^-- (?P<key>grain|key|inputs): (?P<value>.+)$")


class ModelError(ValueError):
    """A model's file is not what a model must be; the message names the file."""


@dataclass(frozen=True)
class Model:
    """A model.

    Attributes:
        name: of its table and its file.
        what: what it is, in a sentence.
        grain: what one row is.
        key: columns that together are unique.
        inputs: tables, models and `REFERENCES` that it reads.
        sql: the SELECT.
    """

    name: str
    what: str
    grain: str
    key: tuple[str, ...]
    inputs: tuple[str, ...]
    sql: str


@cache
def load_model(name: str) -> Model:
    """Read a model from its file.

    Raises:
        ModelError: there is no such model, or its header is not whole.
    """
    path = SQL_FOLDER / f"{name}.sql"
    if name not in model_names():
        raise ModelError(f"there is no model {name}; there are {', '.join(model_names())}")
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    first = _HEADER.match(lines[0]) if lines else None
    found = {field["key"]: field["value"] for line in lines if (field := _FIELD.match(line))}
    if first is None or first["name"] != name or set(found) != {"grain", "key", "inputs"}:
        raise ModelError(f"{path.name}: its header must be its name with what it is, then grain, key and inputs")
    return Model(name, first["what"], found["grain"], _listed(found["key"]), _listed(found["inputs"]), text)


def model_names() -> list[str]:
    """The names of all models, sorted."""
    return sorted(path.stem for path in SQL_FOLDER.glob("*.sql"))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def run_model(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    first: date | None = None,
    last: date | None = None,
    settings: Settings | None = None,
) -> pa.Table:
    """Run a model.

    Args:
        connection: with every table as a view or table of its name.
        name: the model's.
        first: the first day to build, for tables by day.
        last: the last day to build.
        settings: those that the model reads; the defaults where None.

    Returns:
        The rows, in the table's columns and types, in no particular order.
    """
    return pa.Table.from_batches(stream_model(connection, name, first, last, settings=settings), schema=_schema(name))


def stream_model(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    first: date | None = None,
    last: date | None = None,
    order_by: Sequence[str] = (),
    settings: Settings | None = None,
    given: Mapping[str, str] | None = None,
    references: Mapping[str, pa.Table] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Run a model and give its rows in batches, in the order of some columns; other arguments as `ask_model`."""
    asked = ask_model(connection, name, _days(first, last), settings or Settings(), given, references, order_by)
    schema = _schema(name)
    for batch in asked.to_arrow_reader(100_000):
        yield pa.RecordBatch.from_arrays(
            [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)], schema=schema
        )


def ask_model(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    parameters: Mapping[str, object],
    settings: Settings,
    given: Mapping[str, str] | None = None,
    references: Mapping[str, pa.Table] | None = None,
    order_by: Sequence[str] = (),
) -> duckdb.DuckDBPyRelation:
    """Give what a model says as a relation; asked of other rows, it is the same definition of another question.

    Args:
        connection: with every table as a view or table of its name in the schema `main`.
        name: the model's.
        parameters: by name, those that the model or `given` may use; settings need not be among them.
        settings: those that the model reads.
        given: a SELECT by name of the table or step that it stands for. It has its columns, and reads tables as
            `main.<name>`.
        references: rows in place of those that `REFERENCES` gives, by name.
        order_by: columns.

    Returns:
        The columns of the table, as the model makes them; of a step between tables, all of it. Nothing is computed
        before it is read.
    """
    steps = [load_model(step) for step in (*_steps(name), name)]
    inputs = {table for step in steps for table in step.inputs}
    relations = {table: REFERENCES[table](settings) for table in sorted(inputs & REFERENCES.keys())}
    relations |= references or {}
    named = {table: f"from {_register(connection, table, rows)}" for table, rows in relations.items()}
    named |= given or {}
    shared = {step.name: _bare(step.sql) for step in steps if step.name not in named}
    ctes = ",\n".join(f"{table} as ({select})" for table, select in (named | shared).items())
    columns = ", ".join(f'"{field.name}"' for field in _schema(name)) if name in TABLES else "*"
    order = f"\norder by {', '.join(order_by)}" if order_by else ""
    statement = f"with {ctes}\nselect {columns} from {name}{order}"
    known = {**parameters, **settings_read(name, settings)}
    used = {key: value for key, value in known.items() if re.search(rf"\${key}\b", statement)}
    return connection.sql(statement, params=used)


def _register(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> str:
    """Name rows for SQL: other rows otherwise, since a relation reads them only when it is computed."""
    known = f"{name}_{hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()[:16]}"
    connection.register(known, rows)
    return known


def _schema(name: str) -> pa.Schema:
    return TABLES[name].file_schema.remove_metadata()


def definition(name: str, settings: Settings) -> str:
    """Hash what a model's rows follow from beside its inputs: its SELECT, those of its steps, rules and settings.

    Args:
        name: the model's.
        settings: those that it may read.
    """
    steps = [load_model(step) for step in (*_steps(name), name)]
    references = [given for step in steps for given in step.inputs if given in REFERENCES]
    rules = {given: REFERENCES[given](settings).to_pylist() for given in references}
    said = [[_bare(step.sql) for step in steps], rules, settings_read(name, settings), _schema(name).to_string()]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def tables_read(name: str) -> set[str]:
    """The tables that a model reads, itself or through the steps that it is made of."""
    return {given for step in (*_steps(name), name) for given in load_model(step).inputs if given in TABLES}


def settings_read(name: str, settings: Settings) -> dict[str, object]:
    """The settings that a model reads as parameters, by name."""
    sql = load_model(name).sql
    return {entry.name: getattr(settings, entry.name) for entry in fields(Settings) if f"${entry.name}" in sql}


def _days(first: date | None, last: date | None) -> dict[str, object]:
    if first is None or last is None:
        return {}
    one = timedelta(days=1)
    return {"first_day": first, "last_day": last, "day_before": first - one, "day_after": last + one}


def _steps(name: str) -> list[str]:
    """Models that are no tables and that this one reads, directly or not, each after what it reads itself."""
    found: list[str] = []
    for step in load_model(name).inputs:
        if step not in TABLES and step not in REFERENCES:
            found.extend(inner for inner in (*_steps(step), step) if inner not in found)
    return found


def bare_select(name: str) -> str:
    """The SELECT of a model that reads tables only, to be asked as it is."""
    return _bare(load_model(name).sql)


def _bare(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()

"""The directory of users, memberships and Businesses, from the service's own database or from files.

Which identifiers belong to whom is worked out in `sql/user_links.sql`; here is only what the service says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.ingest.barrier import Barrier
from pipeline.people.ages import grown_on
from pipeline.schemas import TABLES
from pipeline.settings import Settings

_BATCH = 50_000
_NAMES = ("users", "memberships", "businesses")
_ALSO_CALLED: dict[str, dict[str, tuple[str, ...]]] = {
    "users": {
        "user_id": ("user_id", "id"),
        "name": ("name", "full_name"),
        "email": ("email", "email_address"),
        "date_of_birth": ("date_of_birth", "birth_date", "birthday"),
        "created_at": ("created_at", "created"),
    },
    "memberships": {"user_id": ("user_id",), "business_id": ("business_id",), "role": ("role",)},
    "businesses": {"business_id": ("business_id", "id"), "name": ("name",)},
}


if TYPE_CHECKING:
    import sqlalchemy as sa


class DirectoryError(ValueError):
    """The directory cannot be read; the message names the place, the table and the column."""


def read_directory(settings: Settings) -> dict[str, pa.Table]:
    """Read users, memberships and Businesses.

    Args:
        settings: `users` is a database URL, or a folder with a CSV or Parquet file for each of the three; None is no
            directory.

    Returns:
        The three tables in their schemas, sorted by key. `memberships` and `businesses` may be missing at the place
        and are empty then; columns that are missing are null. Columns may be called otherwise: `id` for the key,
        `full_name`, or `first_name` and `last_name`, for the name, `birth_date` for `date_of_birth`.

    Raises:
        DirectoryError: the place cannot be read, has no users, or an id is missing or occurs twice.
    """
    if settings.users is None:
        return {name: TABLES[name].file_schema.empty_table() for name in _NAMES}
    tables = _from_database(settings.users) if "://" in settings.users else _from_folder(Path(settings.users))
    return {name: _checked(name, tables.get(name)) for name in _NAMES}


def without_erased(tables: dict[str, pa.Table], barrier: Barrier, today: date) -> dict[str, pa.Table]:
    """Leave out whom and what was erased, though the service still has it.

    Args:
        tables: as `read_directory` gives them.
        barrier: what was erased.
        today: the UTC day; who was erased as a child and is none by the birth date of today is kept.

    Returns:
        The same without erased users, but for one whose account was made since or who is no child any more; without
        their memberships and those that were erased by themselves; and without erased Businesses and theirs.
    """
    if barrier.is_empty:
        return tables
    users, memberships, businesses = (tables[name] for name in _NAMES)
    told = zip(*(users[name].to_pylist() for name in ("user_id", "created_at", "date_of_birth")), strict=True)
    gone = {
        user
        for user, made_at, born in told
        if barrier.stops("user", user, at=made_at)
        or ((born is None or grown_on(born) > today) and barrier.stops("child", user))
    }
    places = {place for place in businesses["business_id"].to_pylist() if barrier.stops("business", place)}
    members = zip(memberships["user_id"].to_pylist(), memberships["business_id"].to_pylist(), strict=True)
    is_left = [
        not (
            user in gone or place in places or barrier.stops("business", place) or barrier.stops("member", user, place)
        )
        for user, place in members
    ]
    return {
        "users": users.filter(pa.array([user not in gone for user in users["user_id"].to_pylist()], pa.bool_())),
        "memberships": memberships.filter(pa.array(is_left, pa.bool_())),
        "businesses": businesses.filter(
            pa.array([place not in places for place in businesses["business_id"].to_pylist()], pa.bool_())
        ),
    }


def _from_database(url: str) -> dict[str, pa.Table]:
    import sqlalchemy as sa  # a quarter of a second that only a database needs

    try:
        engine = sa.create_engine(url)
        place = engine.url.render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise DirectoryError(f"the setting 'users' is no database URL that can be used: {error}") from error
    try:
        with engine.connect() as connection:
            present = set(sa.inspect(connection).get_table_names())
            if "users" not in present:
                raise DirectoryError(f"{place}: there is no table 'users'")
            return {name: _selected(connection, name, place) for name in _NAMES if name in present}
    except sa.exc.SQLAlchemyError as error:
        raise DirectoryError(f"{place}: cannot be read: {error.__class__.__name__}: {error}") from error
    finally:
        engine.dispose()


def _selected(connection: sa.Connection, name: str, place: str) -> pa.Table:
    import sqlalchemy as sa

    table = sa.Table(name, sa.MetaData(), autoload_with=connection)
    sources = _sources(name, list(table.columns.keys()), place)
    result = connection.execution_options(stream_results=True).execute(
        sa.select(*(table.c[column] for columns in sources.values() for column in columns))
    )
    batches = list(_batches(name, sources, result))
    return pa.Table.from_batches(batches, schema=TABLES[name].file_schema)


def _batches(name: str, sources: Mapping[str, list[str]], result: sa.CursorResult[Any]) -> Iterator[pa.RecordBatch]:
    schema = TABLES[name].file_schema
    for rows in result.mappings().partitions(_BATCH):
        columns = [[_joined(dict(row), sources.get(field.name, [])) for row in rows] for field in schema]
        arrays = [_array(name, field, values) for field, values in zip(schema, columns, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _joined(row: Mapping[str, Any], columns: list[str]) -> Any:
    if len(columns) == 1:
        return row[columns[0]]
    parts = [str(row[column]) for column in columns if row[column]]
    return " ".join(parts) or None


def _array(name: str, field: pa.Field, values: list[Any]) -> pa.Array:
    """Make a column of whatever a database or file gave: ids may be numbers there, instants may have no zone (UTC)."""
    if pa.types.is_string(field.type):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    texts = [None if value is None else str(value).replace("T", " ") for value in values]
    try:
        if pa.types.is_date(field.type):
            return pa.array([None if text is None else text[:10] for text in texts], pa.string()).cast(field.type)
        return _instants(texts).cast(field.type)
    except pa.ArrowInvalid as error:
        raise DirectoryError(f"{name}.{field.name}: {error}") from error


def _instants(texts: list[str | None]) -> pa.Array:
    zoned = [text if text is None or _has_zone(text) else f"{text}+00:00" for text in texts]
    return pa.array(zoned, pa.string()).cast(pa.timestamp("us", tz="UTC"))


def _has_zone(text: str) -> bool:
    return text.endswith("Z") or "+" in text[10:] or "-" in text[10:]


def _sources(name: str, present: list[str], place: str) -> dict[str, list[str]]:
    """Find the columns that make up each column of ours."""
    sources: dict[str, list[str]] = {}
    lower = {column.lower(): column for column in present}
    for ours, theirs in _ALSO_CALLED[name].items():
        found = next((lower[candidate] for candidate in theirs if candidate in lower), None)
        if found is not None:
            sources[ours] = [found]
    if name == "users" and "name" not in sources and {"first_name", "last_name"} <= set(lower):
        sources["name"] = [lower["first_name"], lower["last_name"]]
    for key in TABLES[name].key:
        if key not in sources:
            known = " or ".join(_ALSO_CALLED[name][key])
            raise DirectoryError(f"{place}: table '{name}' has no column {known}; it has {', '.join(present)}")
    return sources


def _from_folder(folder: Path) -> dict[str, pa.Table]:
    if not folder.is_dir():
        raise DirectoryError(f"the setting 'users' is {str(folder)!r}: neither a database URL nor a folder")
    tables = {}
    for name in _NAMES:
        for suffix in (".parquet", ".csv"):
            path = folder / f"{name}{suffix}"
            if path.is_file():
                tables[name] = _from_file(name, path)
                break
    if "users" not in tables:
        raise DirectoryError(f"{folder}: there is no users.parquet or users.csv")
    return tables


def _from_file(name: str, path: Path) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            loaded = pq.read_table(path, partitioning=None)
        else:
            parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
            with pyarrow.csv.open_csv(path, parse_options=parse) as opened:
                texts = dict.fromkeys(opened.schema.names, pa.string())
            # Only an empty value is none: there are people called Null, and ids such as NA.
            options = pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=True, null_values=[""])
            loaded = pyarrow.csv.read_csv(path, parse_options=parse, convert_options=options)
    except (pa.ArrowInvalid, OSError) as error:
        raise DirectoryError(f"{path}: cannot be read: {error}") from error
    sources = _sources(name, loaded.schema.names, str(path))
    rows = loaded.to_pylist()
    schema = TABLES[name].file_schema
    arrays = [_array(name, field, [_joined(row, sources.get(field.name, [])) for row in rows]) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _checked(name: str, table: pa.Table | None) -> pa.Table:
    if table is None:
        return TABLES[name].file_schema.empty_table()
    keys = list(TABLES[name].key)
    for key in keys:
        if table[key].null_count:
            raise DirectoryError(f"{name}.{key}: {table[key].null_count} rows have none")
    counted = table.group_by(keys).aggregate([([], "count_all")])
    if counted.num_rows != table.num_rows:
        row = next(row for row in counted.to_pylist() if row["count_all"] > 1)
        where = ", ".join(f"{key} {row[key]!r}" for key in keys)
        raise DirectoryError(f"{name}: {where} occurs {row['count_all']} times")
    return table.sort_by([(key, "ascending") for key in keys])

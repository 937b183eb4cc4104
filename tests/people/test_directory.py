"""The directory from SQLite, Postgres and files, and what is said of a broken one."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.people.directory import DirectoryError, read_directory
from pipeline.settings import Settings

ANN = {
    "user_id": "1",
    "name": "Ann Example",
    "email": "ann@example.com",
    "date_of_birth": date(1990, 5, 4),
    "created_at": datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
}
CREATE = [
    "create table users (id integer primary key, first_name varchar(50), last_name varchar(50), email varchar(50),"
    " birth_date date, created_at {instant})",
    "create table businesses (id varchar(10), name varchar(50))",
    "create table memberships (user_id integer, business_id varchar(10))",
    "insert into users values (1, 'Ann', 'Example', 'ann@example.com', '1990-05-04', '2025-01-02 03:04:05')",
    "insert into businesses values ('b1', 'Cedar Clinic')",
    "insert into memberships values (1, 'b1')",
]


def check(url: str) -> None:
    tables = read_directory(Settings(users=url))
    assert tables["users"].to_pylist() == [ANN]
    assert tables["businesses"].to_pylist() == [{"business_id": "b1", "name": "Cedar Clinic"}]
    assert tables["memberships"].to_pylist() == [{"user_id": "1", "business_id": "b1", "role": None}]


def test_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "users.sqlite"
    connection = sqlite3.connect(path)
    for statement in CREATE:
        connection.execute(statement.format(instant="text"))
    connection.commit()
    connection.close()
    check(f"sqlite:///{path}")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server of its own, on a free loopback port, stopped at the end."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = found[-1] if found else (Path(which) if (which := shutil.which("initdb")) else None)
    if initdb is None:
        pytest.skip("no Postgres server is installed")
    folder = tmp_path_factory.mktemp("postgres")
    data = folder / "data"
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_user:
        for parent in (folder, *folder.parents):
            if str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
        shutil.chown(folder, "postgres")
    subprocess.run(
        [*as_user, str(initdb), "-D", str(data), "-A", "trust", "-U", "trail"], check=True, capture_output=True
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = [*as_user, str(initdb.with_name("postgres")), "-D", str(data), "-p", str(port), "-k", str(folder)]
    with subprocess.Popen([*server, "-h", "127.0.0.1"], stderr=subprocess.DEVNULL) as process:
        url = f"postgresql+psycopg://trail@127.0.0.1:{port}/postgres"
        try:
            wait_for(url)
            yield url
        finally:
            subprocess.run(
                [*as_user, str(initdb.with_name("pg_ctl")), "-D", str(data), "stop", "-m", "fast"],
                check=True,
                capture_output=True,
            )
            process.wait(30)


def wait_for(url: str) -> None:
    engine = sa.create_engine(url)
    for _ in range(100):
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            time.sleep(0.1)
        else:
            engine.dispose()
            return
    raise AssertionError("Postgres did not start")


@pytest.mark.postgres
def test_postgres(postgres: str) -> None:
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        for statement in CREATE:
            connection.execute(sa.text(statement.format(instant="timestamptz")))
        connection.execute(sa.text("set timezone = 'UTC'"))
        connection.execute(sa.text("update users set created_at = '2025-01-02 03:04:05+00'"))
    engine.dispose()
    check(postgres)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text(
        "user_id,name,email,date_of_birth,created_at\n1,Ann Example,ann@example.com,1990-05-04,2025-01-02T03:04:05Z\n"
    )
    (tmp_path / "businesses.csv").write_text("id,name\nb1,Cedar Clinic\n")
    (tmp_path / "memberships.csv").write_text("user_id,business_id\n1,b1\n")
    check(str(tmp_path))


def test_no_directory_is_empty_tables() -> None:
    assert [table.num_rows for table in read_directory(Settings()).values()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\nAnn\n", "has no column user_id or id"),
        ("id,name\n1,Ann\n1,Bob\n", "user_id '1' occurs 2 times"),
        ("id,name\n,Ann\n", "users.user_id: 1 rows have none"),
        ("id,date_of_birth\n1,long ago\n", "users.date_of_birth"),
    ],
)
def test_broken_directories_name_the_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "users.csv").write_text(text)
    with pytest.raises(DirectoryError, match=words):
        read_directory(Settings(users=str(tmp_path)))


@pytest.mark.parametrize("place", ["/nowhere/at/all", "sqlite:////nowhere/x.sqlite", "what://is/this"])
def test_places_that_cannot_be_read(place: str) -> None:
    with pytest.raises(DirectoryError):
        read_directory(Settings(users=place))

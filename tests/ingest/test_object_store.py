"""Logs in an object store give what the same logs in a folder give, and what goes wrong there is one clear line."""

from __future__ import annotations

import gzip
import os
import socket
import socketserver
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from pipeline.ingest import stores
from pipeline.ingest.landing import KnownFiles, changed_files
from pipeline.ingest.stores import ObjectPrefix, open_place
from pipeline.warehouse import open_run
from tests.buckets import Bucket
from tests.ingest.deliveries import House
from tests.ingest.test_delivery import LINES, WHOLE, line

LEDGER = "select path, state, lines_kept from ingested_files order by path"


@pytest.fixture
def house(tmp_path: Path, bucket: Bucket) -> House:
    """A warehouse whose logs arrive in a bucket, under a prefix."""
    return House(tmp_path, landing=f"s3://{bucket.name}/logs")


def test_objects_are_read_as_files_are(tmp_path: Path, bucket: Bucket, house: House) -> None:
    plain = House(tmp_path / "plain")
    cut = WHOLE.index(b"\n", 900) + 1
    for name, data in (("web/a.log.gz", gzip.compress(WHOLE[:cut])), ("web/b.log", WHOLE[cut:]), ("app.log", WHOLE)):
        bucket.put(f"logs/{name}", data)
        plain.deliver(name, data)
    bucket.put("logs-of-others/web/c.log", line(7, target="/elsewhere"))
    house.run()
    plain.run()
    house.assert_adds_up()
    assert house.tables() == plain.tables()
    assert house.rows(LEDGER) == plain.rows(LEDGER)
    assert house.rows("select distinct source from raw_requests order by source") == [("default",), ("web",)]
    assert house.read().files == []


def test_an_object_that_grew_is_read_further_and_another_in_its_place_is_read(bucket: Bucket, house: House) -> None:
    bucket.put("logs/web/a.log", WHOLE[:1000])
    assert house.read().lines["read"] == WHOLE[:1000].count(b"\n")
    bucket.put("logs/web/a.log", WHOLE)
    assert house.read().lines["read"] == len(LINES) - WHOLE[:1000].count(b"\n")
    assert house.rows(LEDGER) == [("web/a.log", "complete", len(LINES))]
    other = WHOLE.replace(b"203.0.113.", b"198.51.100.")[: len(WHOLE)]
    bucket.put("logs/web/a.log", other)
    assert house.read().lines["kept"] == other.count(b"\n")
    bucket.remove("logs/web/a.log")
    assert house.read().files == []
    house.assert_adds_up()
    assert house.rows("select count(*) from requests") == [(len(LINES) + other.count(b"\n"),)]


def test_content_of_equal_size_put_within_one_second_is_a_change(bucket: Bucket, house: House) -> None:
    for client in (1, 3):
        bucket.put("logs/web/a.log", line(7, client=client))
        bucket.date("logs/web/a.log", datetime(2026, 3, 2, 10, tzinfo=UTC))
        house.read()
    assert house.rows("select ip from requests order by ip") == [("203.0.113.1",), ("203.0.113.3",)]


ODD = ["a b.log", "100%.log", "%41.log", "ü/ñ 日本.log", "a+b&c=d.log", "//twice.log", "up/../down.log", "q?x#y.log"]


def test_odd_keys_are_paths_like_others_and_other_company_is_left_out(bucket: Bucket, house: House) -> None:
    for number, name in enumerate(ODD):
        bucket.put(f"logs/web/{name}", line(number, client=number))
    for key in ("logs/", "logs/web/", "logs/web/.hidden", "logs/.git/web.log", "logs/web/a.log.tmp"):
        bucket.put(key, b"" if key.endswith("/") else line(99, client=99))
    house.read()
    paths = [path for path, _, _ in house.rows(LEDGER)]
    assert paths == sorted(f"web/{name}" for name in ODD)
    assert house.rows("select count(*), count(distinct ip) from raw_requests") == [(len(ODD), len(ODD))]
    assert house.read().files == []


def test_a_listing_of_several_pages_is_whole(bucket: Bucket, house: House) -> None:
    names = [f"web/{number:04}.log" for number in range(2100)]
    bucket.fill([f"logs/{name}" for name in names])
    place = ObjectPrefix(f"s3://{bucket.name}/logs", house.settings.spill)
    assert [entry.path for entry in place.entries()] == names
    assert len(changed_files(place, KnownFiles([]))) == 2100


def test_a_rotated_object_is_finished_where_the_one_it_was_rotated_from_lies_beside_it(
    bucket: Bucket, house: House
) -> None:
    for number, name in enumerate(("a/access.log", "a/access.log.1", "b/access.log.1")):
        bucket.put(f"logs/{name}", line(number) + line(10 + number).removesuffix(b"\n"))
    house.read()
    assert [(path, state) for path, state, _ in house.rows(LEDGER)] == [
        ("a/access.log", "growing"),
        ("a/access.log.1", "complete"),
        ("b/access.log.1", "growing"),
    ]


def day(ago: int, mark: str = "/") -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).strftime(f"%Y{mark}%m{mark}%d")


@pytest.mark.parametrize("name", ["{}/x.log", "{}-00-x.log", "dt={}/x.log", "E2EXAMPLE.{}-13.x.log"])
@pytest.mark.parametrize("mark", ["/", "-", ""])
def test_a_quick_listing_leaves_old_days_out_where_something_was_read(
    bucket: Bucket, house: House, name: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deliver(ago: int, source: str = "web", ending: str = "") -> str:
        path = f"{source}/{name.format(day(ago, mark))}{ending}"
        bucket.put(f"logs/{path}", line(ago))
        return path

    def changed(recent_only: bool) -> list[str]:
        with open_run(house.settings) as run:
            known = KnownFiles(run.files("landing_files")[None])
        return [file.path for file in changed_files(open_place(house.settings), known, recent_only=recent_only)]

    monkeypatch.setattr(stores, "PAGE_KEYS", 2)
    for ago in range(9):
        deliver(ago)
    house.read()
    late, recent = deliver(6, ending=".2"), deliver(1, ending=".2")
    elsewhere = [deliver(ago, source="other") for ago in (5, 6, 7, 8)]
    assert changed(recent_only=True) == sorted([recent, *elsewhere])
    assert changed(recent_only=False) == sorted([late, recent, *elsewhere])


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_is_wrong_with_a_store_is_one_line_that_names_the_setting(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(landing: str) -> str:
        with pytest.raises(OSError, match=r"^landing s3://") as caught:
            House(tmp_path, landing=landing).read()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "TRAIL_LANDING" in said("s3://no-such-bucket/logs")
    with monkeypatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port()}")
        assert "check AWS_ENDPOINT_URL" in said(f"s3://{bucket.name}")
    with monkeypatch.context() as environment:
        environment.delenv("AWS_ACCESS_KEY_ID")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        assert "set AWS_ACCESS_KEY_ID" in said(f"s3://{bucket.name}")


def test_refused_access_says_what_to_check(bucket: Bucket, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)  # from now on the server checks keys
    with pytest.raises(PermissionError, match=r"landing s3://.*; check AWS_ACCESS_KEY_ID"):
        house.read()


def test_an_object_that_cannot_be_read_does_not_stop_the_others(bucket: Bucket, house: House) -> None:
    bucket.put("logs/web/a.log", line(1))
    bucket.put("logs/web/b.log", line(2), StorageClass="GLACIER")
    bucket.put("logs/web/c.log", line(3))
    report = house.read()
    assert report.lines["kept"] == 2
    ((path, why),) = report.unreadable.items()
    assert path == "web/b.log"
    assert why.startswith(f"s3://{bucket.name}/logs/web/b.log: ")
    assert "it is archived" in why
    bucket.put("logs/web/b.log", line(2))
    assert house.read().lines["kept"] == 1


def test_an_object_that_changed_since_it_was_listed_waits_for_the_next_run(bucket: Bucket, house: House) -> None:
    bucket.put("logs/web/a.log", line(1))
    place = ObjectPrefix(f"s3://{bucket.name}/logs", house.settings.spill)
    (listed,) = place.entries()
    bucket.put("logs/web/a.log", line(1) + line(2))
    (answer,) = place.fetch([listed])
    assert isinstance(answer, OSError)
    assert "it changed since it was listed" in str(answer)
    assert house.read().lines["kept"] == 2


class CuttingRelay(socketserver.ThreadingTCPServer):
    """Passes bytes on to a server, and breaks the first connection over which more than a megabyte came back."""

    daemon_threads = True

    def __init__(self, to: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Relayed)
        self.to = to
        self.cuts_left = 1


class _Relayed(socketserver.BaseRequestHandler):
    server: CuttingRelay

    def handle(self) -> None:
        with socket.create_connection(self.server.to) as upstream:
            threading.Thread(target=self._pass_requests, args=(upstream,), daemon=True).start()
            came = 0
            while piece := upstream.recv(65536):
                came += len(piece)
                if came > 1 << 20 and self.server.cuts_left:
                    self.server.cuts_left -= 1
                    break
                self.request.sendall(piece)

    def _pass_requests(self, upstream: socket.socket) -> None:
        with suppress(OSError):
            while piece := self.request.recv(65536):
                upstream.sendall(piece)


def test_a_broken_connection_is_taken_up_where_it_broke(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, house: House
) -> None:
    data = Random(5).randbytes(3 << 20)
    bucket.put("logs/web/a.bin", data)
    url = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    assert url.hostname is not None
    assert url.port is not None
    with CuttingRelay((url.hostname, url.port)) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{relay.server_address[1]}")
        spool = ObjectPrefix(f"s3://{bucket.name}/logs", house.settings.spill).get("web/a.bin")
        relay.shutdown()
    with closing(spool), spool.open("rb") as got:
        assert got.read() == data
    assert relay.cuts_left == 0

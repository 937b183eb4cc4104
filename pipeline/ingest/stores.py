"""Where logs are, a folder or a prefix of an object store: what lies there, and its bytes.

Which of it is a log, which has changed and what it holds does not belong here.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

from pipeline.ingest.spool import Spool
from pipeline.settings import Settings

PAGE_KEYS = 1000  # the most that S3 gives
_FETCHED_AHEAD = 16
_TRIES = 5
_DAY = re.compile(r"(?<!\d)(?P<year>20\d\d)(?P<mark>[-_/]?)(?P<month>\d\d)(?P=mark)(?P<day>\d\d)(?!\d)", re.ASCII)


class Readable(Protocol):
    """Bytes that can be opened as often as wanted: a path, or a spool."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Open them for reading from their start."""


class Listed(NamedTuple):
    """Something that lies in a place.

    Attributes:
        path: relative to the place, with forward slashes.
        size: bytes.
        modified_ns: modification time, ns since 1970.
        etag: what an object store says changes with the content; None in a folder.
    """

    path: str
    size: int
    modified_ns: int
    etag: str | None


class Recent(NamedTuple):
    """What a quick listing may leave out: names with a day before `first`, where something like them was read already.

    Attributes:
        first: the first day whose names are all listed.
        is_known: whether a path that begins so was read before.
    """

    first: date
    is_known: Callable[[str], bool]


Contents = Generator["Readable | OSError", None, None]


class Place(Protocol):
    """Where logs are."""

    def entries(self, recent: Recent | None = None) -> Iterator[Listed]:
        """List everything, in the order of the paths' UTF-8 bytes; `recent` allows to leave old names out.

        Raises:
            OSError: it cannot be listed; the message names the setting and what to do.
        """

    def fetch(self, entries: Iterable[Listed]) -> Contents:
        """Get the bytes of entries in their order, or why they cannot be had; each is good until the next is asked."""


def open_place(settings: Settings) -> Place:
    """Return where logs arrive; nothing is looked at yet."""
    if isinstance(settings.landing, Path):
        return Folder(settings.landing)
    return ObjectPrefix(settings.landing, settings.spill)


@contextmanager
def open_file(name: str, settings: Settings) -> Iterator[Readable]:
    """Get one file wherever it is.

    Args:
        name: a path, or an object such as `s3://bucket/key`.
        settings: where what is too large to be held is put.

    Raises:
        OSError: it cannot be had.
    """
    if not name.startswith("s3://"):
        yield Path(name)
        return
    bucket, _, key = name.removeprefix("s3://").partition("/")
    with closing(ObjectPrefix(f"s3://{bucket}", settings.spill).get(key)) as spool:
        yield spool


class Folder:
    """A folder and all below it; what begins with a dot is hidden, and links to folders are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self, recent: Recent | None = None) -> Iterator[Listed]:  # noqa: ARG002 a walk is cheap, it is whole
        """List the regular files.

        Raises:
            FileNotFoundError: the folder does not exist.
        """
        if not self._root.is_dir():
            raise FileNotFoundError(f"landing folder {self._root} does not exist; make it, or set TRAIL_LANDING")
        return self._walk(str(self._root), "")

    def _walk(self, folder: str, above: str) -> Iterator[Listed]:
        with os.scandir(folder) as found:
            shown = [entry for entry in found if not entry.name.startswith(".") and _is_storable(entry.name)]
        named = [(f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name, entry) for entry in shown]
        for name, entry in sorted(named, key=lambda pair: pair[0]):
            if name.endswith("/"):
                yield from self._walk(entry.path, above + name)
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Listed(above + name, status.st_size, status.st_mtime_ns, None)

    def fetch(self, entries: Iterable[Listed]) -> Contents:
        """Return the paths: files are where they are."""
        for entry in entries:
            yield self._root / entry.path


def _is_storable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class ObjectPrefix:
    """The objects of a bucket whose keys begin with a prefix; endpoint and credentials are those of `AWS_*`."""

    def __init__(self, url: str, spill: Path) -> None:
        """Say where; nothing is asked of the store yet.

        Args:
            url: `s3://bucket` or `s3://bucket/prefix`.
            spill: folder for objects that are too large to be held in memory.
        """
        self._url = url.rstrip("/")
        self._bucket, _, prefix = self._url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._spill = spill

    @cached_property
    def _store(self) -> Any:
        from aiobotocore.session import get_session  # with s3fs half a second, which folders need not wait for
        from s3fs import S3FileSystem

        session = get_session()
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_instant)
        return S3FileSystem(
            session=session,
            skip_instance_cache=True,
            use_listings_cache=False,
            config_kwargs={"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard"}},
        )

    def entries(self, recent: Recent | None = None) -> Iterator[Listed]:
        """List the objects, a page a request.

        Raises:
            FileNotFoundError: there is no such bucket.
            PermissionError: the credentials may not list it, or there are none.
            OSError: the store cannot be reached.
        """
        wanted: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix, "MaxKeys": PAGE_KEYS}
        while True:
            with self._told(f"landing {self._url}"):
                page = self._store.call_s3("list_objects_v2", wanted)
            found = page.get("Contents", ())
            yield from (self._listed(item) for item in found)
            if not page["IsTruncated"] or not found:
                return
            last = found[-1]["Key"].removeprefix(self._prefix)
            further = _first_recent(last, recent) if recent else None
            wanted["StartAfter"] = self._prefix + (further or last)

    def _listed(self, item: dict[str, Any]) -> Listed:
        modified_ns = int(item["LastModified"].timestamp() * 1_000_000) * 1000
        return Listed(item["Key"].removeprefix(self._prefix), item["Size"], modified_ns, item["ETag"].strip('"'))

    def fetch(self, entries: Iterable[Listed]) -> Contents:
        """Get objects, several at a time ahead of the one that is asked for; each just as it was listed."""
        pending: deque[Future[Spool]] = deque()
        pool = ThreadPoolExecutor(_FETCHED_AHEAD, thread_name_prefix="fetch")
        try:
            for entry in entries:
                pending.append(pool.submit(self.get, entry.path, entry.etag))
                if len(pending) >= _FETCHED_AHEAD:
                    yield from _taken(pending.popleft())
            while pending:
                yield from _taken(pending.popleft())
        finally:
            pool.shutdown(cancel_futures=True)
            for left in pending:
                if not left.cancelled() and left.exception() is None:
                    left.result().close()

    def get(self, path: str, etag: str | None = None) -> Spool:
        """Get an object whole.

        Args:
            path: of the object, relative to the prefix.
            etag: what its content must still be; any where it is None.

        Raises:
            OSError: it is not there any more, has changed, may not be read, or the store cannot be reached.
        """
        from fsspec.asyn import sync

        spool = Spool(self._spill)
        try:
            with self._told(f"{self._url}/{path}"):
                sync(self._store.loop, self._download, self._prefix + path, etag, spool)
        except BaseException:
            spool.close()
            raise
        return spool

    async def _download(self, key: str, etag: str | None, spool: Spool) -> None:
        """Get an object in one request; where the connection breaks, go on from there, if it is the same object."""
        from s3fs.core import S3_RETRYABLE_ERRORS

        wanted = {"Bucket": self._bucket, "Key": key} | ({"IfMatch": etag} if etag else {})
        got = 0
        for tries_left in reversed(range(_TRIES)):
            answer = await self._store._call_s3("get_object", wanted | ({"Range": f"bytes={got}-"} if got else {}))
            wanted["IfMatch"] = answer["ETag"]  # what follows is of the same content
            try:
                async with answer["Body"] as body:
                    while piece := await body.read(1 << 20):
                        spool.write(piece)
                        got += len(piece)
            except S3_RETRYABLE_ERRORS:
                if not tries_left:
                    raise
            else:
                return

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what a request can fail by into one line that says what to do."""
        from botocore.exceptions import BotoCoreError, NoCredentialsError

        try:
            yield
        except NoCredentialsError as error:
            raise PermissionError(f"{what}: no credentials; {_HINTS['NoCredentials']}") from error
        except BotoCoreError as error:
            raise ConnectionError(f"{what}: {_sentence(error)}; {_HINTS['Unreachable']}") from error
        except OSError as error:
            answer = getattr(error.__cause__, "response", {})
            code = answer.get("Error", {}).get("Code", "")
            hint = _HINTS.get(code) or (_HINTS["Refused"] if isinstance(error, PermissionError) else "")
            said = f"{what}: {_sentence(error)}" + (f"; {hint}" if hint else "")
            raise type(error)(said) from error


def _instant(text: str) -> datetime:
    """Read an instant of an answer; botocore's own way takes three quarters of the time of a listing."""
    from botocore.utils import parse_timestamp

    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parse_timestamp(text)


_HINTS = {
    "NoCredentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "Unreachable": "check AWS_ENDPOINT_URL, AWS_REGION and the network",
    "Refused": "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and that they may s3:ListBucket and s3:GetObject",
    "NoSuchBucket": "set landing (TRAIL_LANDING) to one that exists",
    "PreconditionFailed": "it changed since it was listed, the next run reads it",
    "InvalidObjectState": "it is archived, restore it",
}


def _sentence(error: BaseException) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return " ".join(said.split()).rstrip(".")


def _taken(fetched: Future[Spool]) -> Iterator[Readable | OSError]:
    """Wait for an object and hand it on; it is let go when the next is asked for."""
    try:
        spool = fetched.result()
    except OSError as error:
        yield error
        return
    try:
        yield spool
    finally:
        spool.close()


def _first_recent(path: str, recent: Recent) -> str | None:
    """Where to go on after a name with an old day: just before the same name with the first recent day.

    Returns:
        None where the name has no day, a recent one, or nothing that begins as it does was read before.
    """
    found = _DAY.search(path)
    if found is None:
        return None
    mark = found["mark"]
    first = recent.first.strftime(f"%Y{mark}%m{mark}%d")
    before = path[: found.start()]
    return before + first if found[0] < first and recent.is_known(before) else None

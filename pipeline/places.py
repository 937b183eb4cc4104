"""Where data lies: the region of each configured place, checked against those allowed before a byte is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.settings import SettingError, Settings

# A managed database's name says where it is.
_DATABASE = re.compile(r"\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?:rds|redshift)\.amazonaws\.com", re.ASCII)
# What lies with the warehouse unless it is said to lie elsewhere.
_BESIDE = ("access_log", "privacy", "reports")


class PlaceError(SettingError):
    """A place lies where data may not be, or it is not known where it lies; nothing was written."""


def check_places(settings: Settings) -> None:
    """Check that every configured place lies in a region that is allowed; where `regions` is empty, all are.

    Args:
        settings: the places, `regions`, and where places lie that cannot tell it themselves.

    Raises:
        PlaceError: one does not, or it cannot be told.
    """
    if not settings.regions:
        return
    for name, place in _places(settings):
        region = _region(settings, name, place)
        if not any(fnmatchcase(region, allowed) for allowed in settings.regions):
            raise PlaceError(
                f"{name} lies in {region}, and data may lie in {', '.join(settings.regions)} only (setting 'regions')"
            )


def _places(settings: Settings) -> Iterator[tuple[str, Path | str]]:
    """The places that hold data of people, by the names of their settings."""
    for name in ("landing", "warehouse", "users", "backup", *_BESIDE):
        place = getattr(settings, name)
        if place is not None:
            yield name, place


def _region(settings: Settings, name: str, place: Path | str) -> str:
    said = settings.places.get(name) or (settings.places.get("warehouse") if name in _BESIDE else None)
    found = _found(place)
    if found is not None and said is not None and found != said:
        raise PlaceError(f"{name} lies in {found}, and the setting 'places' says {said}")
    region = found or said
    if region is None:
        raise PlaceError(
            f"it is not known where {name} lies, and data may lie in {', '.join(settings.regions)} only: "
            f'say it in trail.toml, such as places = {{ {name} = "us-east-1" }}'
        )
    return region


def _found(place: Path | str) -> str | None:
    """What a place tells of itself; None where it does not."""
    if not isinstance(place, str):
        return None
    if place.startswith("s3://"):
        return _bucket_region(place.removeprefix("s3://").partition("/")[0], os.environ.get("AWS_ENDPOINT_URL", ""))
    found = _DATABASE.search(place)
    return found["region"] if found else None


@lru_cache(maxsize=16)
def _bucket_region(bucket: str, _endpoint: str) -> str:
    """Ask an object store where a bucket lies."""
    from s3fs import S3FileSystem  # half a second, which folders need not wait for

    try:
        told: Any = S3FileSystem(skip_instance_cache=True).call_s3("get_bucket_location", Bucket=bucket)
    except OSError as error:
        raise PlaceError(f"it cannot be told where bucket {bucket} lies: {error}") from error
    region = told.get("LocationConstraint") or "us-east-1"  # by its history, the first region has no name
    return "eu-west-1" if region == "EU" else str(region)

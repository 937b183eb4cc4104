"""A server that speaks S3 on the loopback, and a bucket in it to deliver logs into."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "not a secret", "AWS_DEFAULT_REGION": "eu-central-1"}


class Bucket:
    """A bucket, and what a delivery service does to it."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    def put(self, key: str, data: bytes, **more: str) -> None:
        """Put an object, or overwrite it."""
        self._client.put_object(Bucket=self.name, Key=key, Body=data, **more)

    def fill(self, keys: Iterable[str]) -> None:
        """Put empty objects, past the network: thousands would take minutes."""
        for key in keys:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(self.name, key, b"")

    def date(self, key: str, at: datetime) -> None:
        """Say that an object was put at some instant: this server tells fractions of a second, S3 does not."""
        found = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].head_object(self.name, key)
        assert found is not None
        found.last_modified = at

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin so, a thousand at most."""
        return [one["Key"] for one in self._client.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])]

    def remove(self, key: str) -> None:
        """Delete an object."""
        self._client.delete_object(Bucket=self.name, Key=key)


@contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run a server and point the usual variables at it; yield a client of it."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    try:
        host, port = server.get_host_and_port()
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        yield client
        client.close()
    finally:
        server.stop()

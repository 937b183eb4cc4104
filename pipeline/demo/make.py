"""Makes the demo in a folder: database, geo database, logs, truth, features and the settings that name them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pipeline.demo.agents import CITIES
from pipeline.demo.delivery import deliver
from pipeline.demo.events import APP_HOST, SITE_HOST
from pipeline.demo.mmdb import write_mmdb
from pipeline.demo.people import make_businesses, write_database
from pipeline.demo.scenarios import make_events
from pipeline.demo.truth import write_truth

_BUILT_AT = 1_772_323_200  # 2026-03-01, the day before the fortnight


@dataclass(frozen=True)
class DemoPaths:
    """Where the demo's parts are."""

    folder: Path

    @property
    def landing(self) -> Path:
        """The logs."""
        return self.folder / "landing"

    @property
    def config(self) -> Path:
        """The settings."""
        return self.folder / "trail.toml"

    @property
    def truth(self) -> Path:
        """What really happened."""
        return self.folder / "truth"

    @property
    def users_database(self) -> Path:
        """The service's own database."""
        return self.folder / "users.sqlite"

    @property
    def geoip(self) -> Path:
        """Where its networks are."""
        return self.folder / "geo.mmdb"

    @property
    def features(self) -> Path:
        """What its team calls its features."""
        return self.folder / "features.toml"


def make_demo(folder: Path, seed: int = 7, days: int = 14, scale: float = 1.0) -> DemoPaths:
    """Make the demo.

    Args:
        folder: where; what an earlier demo left there is replaced.
        seed: the same seed makes the same bytes.
        days: how many, at least 8.
        scale: how many users and visitors, 1 for some three thousand; every situation is there at any scale.

    Returns:
        Where its parts are.
    """
    paths = DemoPaths(folder.resolve())
    for old in (paths.landing, paths.truth):
        shutil.rmtree(old, ignore_errors=True)
    paths.folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)  # noqa: S311 a game, not a secret
    businesses = make_businesses(random, scale)
    events = make_events(random, businesses, days, scale)
    unknown_to_database = {businesses[10].users[-1].user_id, businesses[11].users[-1].user_id}
    write_database(paths.users_database, businesses, unknown_to_database)
    write_mmdb(paths.geoip, CITIES, "GeoLite2-City", _BUILT_AT)
    files = deliver(paths.landing, events, random, days)
    write_truth(paths.truth, events, businesses, files)
    shutil.copyfile(Path(__file__).with_name("features.toml"), paths.features)
    paths.config.write_text(_CONFIG, encoding="utf-8")
    return paths


_CONFIG = f"""# Settings of the demo; paths are relative to this file.
landing = "landing"
warehouse = "warehouse"
geoip = "geo.mmdb"
users = "sqlite:///users.sqlite"
features = "features.toml"
own_hosts = ["{APP_HOST}", "{SITE_HOST}"]
route_rules = [{{ prefix = "/reports/", name = "slug" }}, {{ prefix = "/blog/", name = "slug" }}]
secret = "a secret of the demo, choose your own"
regions = ["us-*"]
places = {{ landing = "us-east-1", warehouse = "us-east-1", users = "us-east-1" }}
"""

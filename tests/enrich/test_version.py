"""What `enrichment_version` names: whatever a derived column depends on, and nothing else."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.enrich import UserAgentCache, enrichment_version
from pipeline.enrich.version import SETTINGS_OF_RULES
from pipeline.settings import RouteRule, Settings

ENRICH = Path(__file__).resolve().parents[2] / "pipeline" / "enrich"
NAMED_OTHERWISE = {"secret", "geoip"}  # as the key of the hash, and by the database's own build


@pytest.mark.parametrize(
    "changed",
    [
        {"own_hosts": ("example.com",)},
        {"trusted_proxies": (ipaddress.ip_network("10.0.0.0/8"),)},
        {"health_paths": ("/up",)},
        {"api_prefixes": ("/v1/",)},
        {"event_paths": ("/told",)},
        {"route_rules": (RouteRule("/blog/", "slug"),)},
        {"secret": "another"},
    ],
)
def test_each_setting_that_meanings_depend_on_changes_the_version(changed: dict[str, Any]) -> None:
    assert enrichment_version(replace(Settings(), **changed), None) != enrichment_version(Settings(), None)


def test_other_settings_leave_the_version_as_it_is(tmp_path: Path) -> None:
    others = replace(Settings(), landing=tmp_path, warehouse=tmp_path, threads=7, grace_hours=1, memory_limit="2GB")
    assert enrichment_version(others, None) == enrichment_version(Settings(), None)


def test_every_setting_that_this_room_reads_is_named() -> None:
    read = {
        name
        for path in ENRICH.glob("*.py")
        for name in re.findall(r"\bsettings\.(\w+)", path.read_text(encoding="utf-8"))
        if hasattr(Settings(), name)
    }
    assert read >= {"route_rules", "secret"}
    assert read - NAMED_OTHERWISE == set(SETTINGS_OF_RULES)


def test_meanings_kept_of_other_rules_are_worked_out_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = UserAgentCache(tmp_path)
    cache.client("curl/8.11.0")
    cache.save()
    assert list(UserAgentCache(tmp_path)._clients) == ["curl/8.11.0"]
    monkeypatch.setattr("pipeline.enrich.version.RULES_VERSION", "the next")
    assert list(UserAgentCache(tmp_path)._clients) == []

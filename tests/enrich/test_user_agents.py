"""Browsers and systems by ua-parser's published cases, and the file in which meanings are kept.

Whose user agents are bots' is in `test_bots`.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.enrich import UserAgentCache
from pipeline.enrich.user_agent_engine import parse_user_agent
from tests.enrich.conftest import Case

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"


# Of 1,601 and 483 cases all agree. Trail renames nothing. It says null where the cases say Other, and writes a version
# as one text: three parts of a browser's, as the cases have them, and all four of a system's.
@pytest.mark.parametrize("what", ["family", "version"])
def test_all_published_browsers_agree(browser_cases: list[Case], what: str) -> None:
    found = [parse_user_agent(_text(case)) for case in browser_cases]
    said = [(client.browser, client.browser_version)[what == "version"] for client in found]
    assert _differing(said, browser_cases, what, ("major", "minor", "patch")) == []
    assert len(said) > 1_500


@pytest.mark.parametrize("what", ["family", "version"])
def test_all_published_systems_agree(system_cases: list[Case], what: str) -> None:
    found = [parse_user_agent(_text(case)) for case in system_cases]
    said = [(client.os, client.os_version)[what == "version"] for client in found]
    assert _differing(said, system_cases, what, ("major", "minor", "patch", "patch_minor")) == []
    assert len(said) > 450


def _differing(said: list[str | None], cases: list[Case], what: str, parts: tuple[str, ...]) -> list[str]:
    differing = []
    for answer, case in zip(said, cases, strict=True):
        family = None if case["family"] == "Other" else case["family"]
        version = ".".join(part for part in map(case.get, parts) if part is not None) or None
        if answer != (family if what == "family" else version):
            differing.append(f"{answer} for {case}")
    return differing


def _text(case: Case) -> str:
    return case["user_agent_string"] or ""


def test_cache_is_kept_rebuilt_and_never_fatal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = UserAgentCache(tmp_path)
    client = first.client(FIREFOX)
    assert (client.browser, client.os, client.device_type) == ("Firefox", "Linux", "desktop")
    first.save()
    assert UserAgentCache(tmp_path)._clients == {FIREFOX: client}
    (tmp_path / "user_agents.parquet").write_bytes(b"broken")
    with caplog.at_level(logging.WARNING, logger="trail"):
        assert UserAgentCache(tmp_path).client(FIREFOX) == client
    assert "built anew" in caplog.text


def test_cache_forgets_what_was_read_in_another_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = UserAgentCache(tmp_path)
    kept.client(FIREFOX)
    kept.save()
    monkeypatch.setattr("pipeline.enrich.version.RULES_VERSION", "of tomorrow")
    assert UserAgentCache(tmp_path)._clients == {}

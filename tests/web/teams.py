"""A team that signs in through a proxy: an engineer, support of two Businesses, and who looks after privacy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from pipeline.audit import Entry, read_entries
from pipeline.settings import Settings
from pipeline.web.app import make_app
from tests.web import Answer, Browser, served

WHO = "X-Forwarded-Email"
ACCESS = """
[people."eng@example.net"]
role = "engineer"
[people."ann@example.net"]
role = "support"
businesses = ["b01"]
[people."ben@example.net"]
role = "support"
businesses = ["b02"]
[people."pia@example.net"]
role = "privacy"
[people."pat@example.net"]
role = "privacy"
businesses = ["b02"]
"""


class Team:
    """People who sign in through a proxy on the loopback."""

    def __init__(self, settings: Settings, browser: Browser) -> None:
        self.settings = settings
        self._browser = browser

    def get(self, who: str, path: str) -> Answer:
        return self._browser.ask("GET", path, [(WHO, f"{who}@example.net")])

    def post(self, who: str, path: str, body: str = "") -> Answer:
        headers = [(WHO, f"{who}@example.net"), ("Sec-Fetch-Site", "same-origin")]
        return self._browser.ask("POST", path, headers, body.encode())

    def noted(self) -> list[Entry]:
        return list(read_entries(self.settings.access_log))


def team_settings(settings: Settings, folder: Path) -> Settings:
    """Settings with the team's `access` file and an access log in a folder."""
    access = folder / "access.toml"
    access.write_text(ACCESS, encoding="utf-8")
    return replace(
        settings,
        sign_in="proxy",
        sign_in_proxies=(ip_network("127.0.0.0/8"),),
        access=access,
        access_log=folder / "access_log",
        privacy=folder / "privacy",
    )


@contextmanager
def at_work(settings: Settings) -> Iterator[Team]:
    """Serve the pages to the team."""
    with served(make_app(settings)) as browser:
        yield Team(settings, browser)

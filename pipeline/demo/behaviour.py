"""What people do in a visit: pages, the assets and API calls they bring, logins, errors, waits.

Which people, when and from where is told in `scenarios`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from pipeline.demo.events import APP_HOST, Event
from pipeline.demo.people import User

_PAGES = ["/dashboard", "/clients", "/calendar", "/billing", "/settings", "/reports/monthly-summary"]
_WEIGHTS = [30, 30, 25, 6, 4, 5]
_ASSETS = ["/static/app.3f9a1c2b.css", "/static/app.77aa01fe.js", "/static/logo.png"]
_SLOW_MS = 4000


@dataclass
class Device:
    """What somebody holds: where from, with what, and how it is recognised."""

    ip: str
    user_agent: str
    cookie: str = ""
    source: str = "web"
    change_ip: Callable[[Random], str] | None = None


@dataclass
class Sitting:
    """One person at one device for a while; events are added as time passes.

    Attributes:
        at_ms: the clock of the sitting.
    """

    random: Random
    device: Device
    scenario: str
    at_ms: int
    user: User | None = None
    business_id: str | None = None
    is_logged_in: bool = False
    events: list[Event] = field(default_factory=list)
    _last_page: str = ""

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at_ms += round(seconds * 1000)

    def think(self) -> None:
        """Read a page: seconds mostly, minutes sometimes, never half an hour."""
        self.wait(min(self.random.lognormvariate(3.0, 1.1), 1500))

    def request(self, method: str, target: str, status: int = 200, referrer: str | None = None) -> Event:
        """Make a request now."""
        if self.device.change_ip and self.random.random() < 0.15:
            self.device.ip = self.device.change_ip(self.random)
        took = self.random.lognormvariate(4.0, 0.8)
        event = Event(
            at_ms=self.at_ms,
            source=self.device.source,
            ip=self.device.ip,
            user_agent=self.device.user_agent,
            method=method,
            target=target,
            status=status,
            bytes_sent=self.random.randrange(200, 40_000),
            duration_ms=round(took + (_SLOW_MS if self.random.random() < 0.005 else 0)),
            referrer=self._last_page if referrer is None else referrer,
            cookie=self.device.cookie,
            user_id=self.user.user_id if self.user and self.is_logged_in else None,
            business_id=self.business_id if self.is_logged_in else None,
            true_user=self.user.user_id if self.user else None,
            scenario=self.scenario,
        )
        self.events.append(event)
        return event

    def page(self, target: str, status: int = 200, referrer: str | None = None) -> None:
        """Open a page, with some of its assets; what it calls of the API comes with it."""
        self.request("GET", target, status, referrer)
        self._last_page = f"https://{APP_HOST}{target}"
        for asset in _ASSETS[: self.random.randrange(0, 3)]:
            self.wait(self.random.uniform(0.02, 0.3))
            self.request("GET", asset, self.random.choice((200, 304)))

    def log_in(self) -> None:
        """Open the login page and log in; the redirect and what follows carries the user."""
        self.page("/login")
        self.wait(self.random.uniform(4, 25))
        if self.random.random() < 0.06:
            self.request("POST", "/login", 401)
            self.wait(self.random.uniform(4, 15))
        self.is_logged_in = True
        self.request("POST", "/login", 302)
        self.wait(0.3)

    def log_out(self) -> None:
        """Log out; the page after it is anonymous again."""
        self.request("POST", "/logout", 302)
        self.is_logged_in = False
        self.wait(0.2)
        self.page("/login")

    def work(self, pages: int) -> None:
        """Use the service: pages, API calls, notes, downloads, errors."""
        for _ in range(pages):
            self._one_thing()
            self.think()

    def _one_thing(self) -> None:
        random = self.random
        if self.device.source == "mobile":
            self.request("GET", random.choice(("/api/mobile/today", "/api/mobile/clients", "/api/mobile/sync")))
            if random.random() < 0.3:
                self.wait(random.uniform(1, 20))
                self.request("POST", f"/api/mobile/clients/{random.randrange(1, 900)}/notes", 201)
            return
        choice = random.random()
        client = random.randrange(1, 900)
        if choice < 0.25:
            self.page(f"/clients/{client}")
        elif choice < 0.35:
            self.page(f"/clients/{client}/notes/{random.randrange(1, 99)}")
            self.wait(random.uniform(10, 200))
            self.request("POST", "/api/v1/notes", random.choices((201, 422), (95, 5))[0])
        elif choice < 0.39:
            self.request("GET", f"/invoices/{random.randrange(1, 9999)}.pdf")
        elif choice < 0.42:
            self.page(f"/clients/{client}x", 404)
        else:
            self.page(random.choices(_PAGES, _WEIGHTS)[0])
            self.wait(0.4)
            self.request("GET", "/api/v1/summary", random.choices((200, 500), (99, 1))[0])

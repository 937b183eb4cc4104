"""One request of the made-up service, as it truly was: what its line shows, and what only the truth knows."""

from __future__ import annotations

from dataclasses import dataclass

APP_HOST, SITE_HOST = "app.session-tracker.example", "www.session-tracker.example"


@dataclass(slots=True)
class Event:
    """A request.

    Attributes:
        at_ms: when, ms since 1970; what its source's clock shows.
        source: the server that logs it: web, mobile or site.
        user_id: the authenticated user on the line; None where the line has none.
        login: the web server's own authenticated name on the line.
        true_user: who really made it; None for bots and for people who never logged in.
        scenario: which of the told situations it belongs to.
    """

    at_ms: int
    source: str
    ip: str
    user_agent: str
    method: str
    target: str
    status: int = 200
    bytes_sent: int = 0
    duration_ms: int = 0
    referrer: str = ""
    cookie: str = ""
    user_id: str | None = None
    business_id: str | None = None
    login: str = ""
    true_user: str | None = None
    scenario: str = ""
    is_bot: bool = False

    @property
    def host(self) -> str:
        """The virtual host it went to."""
        return SITE_HOST if self.source == "site" else APP_HOST

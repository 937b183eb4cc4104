"""The situations of the fortnight: which people, when, from where. Each event carries its scenario's name.

How a person behaves once seated is in `behaviour`.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from datetime import timezone as fixed_zone
from random import Random

from pipeline.demo.agents import APPS, ATTACKS, BOTS, CAMPAIGNS, DESKTOPS, OFFICE, PHONES, REFERRERS, TABLETS
from pipeline.demo.behaviour import Device, Sitting
from pipeline.demo.events import Event
from pipeline.demo.people import FIRST_DAY, Business, User

_HALF_HOUR_S = 1800
_UTC = fixed_zone.utc  # noqa: UP017 beside `fixed_zone` it reads better
OFFICE_IP, REFUSING_IP, DESK_IP = "203.0.113.10", "203.0.113.130", "203.0.113.40"


def make_events(random: Random, businesses: list[Business], days: int, scale: float) -> list[Event]:
    """Make everything that happened, in no particular order."""
    dates = [FIRST_DAY + timedelta(days=number) for number in range(days)]
    events: list[Event] = []
    for place, business in enumerate(businesses):
        events += _business(random, place, business, dates)
    events += _two_businesses(random, businesses[0], businesses[1], dates[2])
    events += _family_tablet(random, businesses[3].users[:2], businesses[3], dates)
    events += _prior_anonymous(random, businesses[4], dates)
    events += _over_midnight(random, businesses[5], dates)
    events += _exact_gaps(random, businesses[6].users[0], businesses[6], dates[1])
    events += _wall_display(random, businesses[7].users[0], businesses[7], dates[3])
    events += _changing_networks(random, businesses[8], dates)
    events += _site_visitors(random, dates, round(260 * scale) + 12)
    events += _bots(random, dates, round(700 * scale) + 60)
    events += _health_checks(dates)
    events += _internal_area(random, businesses[9], dates)
    events += _guest_at_home(random, businesses[10], dates)
    _break_notes(random, events, businesses[0], dates)
    return events


def at(day: date, hour: float) -> int:
    """Return ms since 1970 of a time of day."""
    return round((datetime.combine(day, time(), _UTC).timestamp() + hour * 3600) * 1000)


def _business(random: Random, place: int, business: Business, dates: list[date]) -> list[Event]:
    """An ordinary Business: by its place an office, an office that refuses cookies, a front desk, or people at home."""
    events: list[Event] = []
    desk_users = business.users[:6] if place == 2 else []
    for user in business.users:
        if user in desk_users or (place in (3, 6, 7, 8) and user in business.users[:2]):
            continue
        for device, scenario in _devices(random, place, user):
            for day in dates:
                busy = 0.03 if day.weekday() >= 5 else 0.3
                if random.random() < busy:
                    events += _sitting(random, device, scenario, user, business, at(day, random.uniform(7, 19)))
    if desk_users:
        events += _front_desk(random, desk_users, business, dates)
    return events


def _devices(random: Random, place: int, user: User) -> list[tuple[Device, str]]:
    number = int(user.user_id[1:])
    home = f"198.{18 + number % 2}.{number // 250 % 250}.{number % 250 + 1}"
    if place == 0:
        return [(Device(OFFICE_IP, OFFICE, f"k{number}"), "office")]
    if place == 1:
        return [(Device(REFUSING_IP, OFFICE), "cookies refused")]
    devices = [(Device(home, random.choice(DESKTOPS), f"k{number}"), "home")]
    if number % 4 == 0:
        phone = Device(home, random.choice(APPS), f"app-{number}", "mobile", _cellular)
        devices = [(devices[0][0], "several devices"), (phone, "several devices")]
    if number % 17 == 0:
        devices.append((Device(f"2001:db8::{number:x}", random.choice(PHONES), f"p{number}"), "several devices"))
    return devices


def _cellular(random: Random) -> str:
    return f"198.51.100.{random.randrange(1, 250)}"


def _sitting(
    random: Random, device: Device, scenario: str, user: User, business: Business, start_ms: int
) -> list[Event]:
    sitting = Sitting(random, device, scenario, start_ms, user, business.business_id)
    is_app = device.source == "mobile"
    if is_app or random.random() < 0.45:
        sitting.is_logged_in = True
    else:
        if random.random() < 0.4:
            sitting.page("/", referrer=random.choice(REFERRERS))
            sitting.think()
        sitting.log_in()
    sitting.work(min(1 + int(random.expovariate(0.16)), 40))
    if not is_app and random.random() < 0.3:
        sitting.log_out()
    return sitting.events


def _front_desk(random: Random, users: list[User], business: Business, dates: list[date]) -> list[Event]:
    """One computer, one cookie: people log in and out in turn, minutes apart."""
    events: list[Event] = []
    device = Device(DESK_IP, DESKTOPS[1], "desk-1")
    for day in dates:
        clock = at(day, 8)
        for user in random.sample(users, k=len(users)):
            sitting = Sitting(random, device, "front desk", clock, user, business.business_id)
            sitting.log_in()
            sitting.work(random.randrange(2, 6))
            sitting.log_out()
            events += sitting.events
            clock = sitting.at_ms + random.randrange(60_000, 600_000)
    return events


def _two_businesses(random: Random, first: Business, second: Business, day: date) -> list[Event]:
    """Somebody who works at two Businesses and switches between them within minutes."""
    user = first.users[0]
    sitting = Sitting(random, Device("198.18.200.7", DESKTOPS[5], "two-1"), "two businesses", at(day, 10), user)
    sitting.is_logged_in = True
    for business in (first, second, first):
        sitting.business_id = business.business_id
        sitting.work(3)
        sitting.wait(60)
    return sitting.events


def _family_tablet(random: Random, users: list[User], business: Business, dates: list[date]) -> list[Event]:
    """One tablet, one cookie, two people at different hours; some sittings never log in, and nobody can tell whose."""
    events: list[Event] = []
    device = Device("198.19.130.9", TABLETS[0], "tab-1")
    for number, day in enumerate(dates):
        user = users[number % 2]
        sitting = Sitting(random, device, "family tablet", at(day, 12), user, business.business_id)
        sitting.log_in()
        sitting.work(3)
        sitting.log_out()
        events += sitting.events
        anonymous = Sitting(random, device, "family tablet", at(day, 18), users[random.randrange(2)])
        anonymous.page("/")
        anonymous.think()
        anonymous.page("/login")
        events += anonymous.events
    return events


def _prior_anonymous(random: Random, business: Business, dates: list[date]) -> list[Event]:
    """People who look around one day and log in with the same cookie days later."""
    events: list[Event] = []
    for number, user in enumerate(business.users[-5:]):
        device = Device(f"198.18.201.{number + 1}", random.choice(DESKTOPS), f"prior-{number}")
        before = Sitting(random, device, "before login", at(dates[1], 9 + number), user)
        before.page("/", referrer=random.choice(REFERRERS))
        before.think()
        before.page("/pricing")
        after = Sitting(random, device, "before login", at(dates[-4], 9 + number), user, business.business_id)
        after.log_in()
        after.work(4)
        events += before.events + after.events
    return events


def _over_midnight(random: Random, business: Business, dates: list[date]) -> list[Event]:
    """Visits that begin before a UTC midnight and end after it."""
    events: list[Event] = []
    for number, user in enumerate(business.users[:4]):
        device = Device(f"198.18.202.{number + 1}", random.choice(DESKTOPS), f"night-{number}")
        for day in dates[:-1:3]:
            sitting = Sitting(random, device, "over midnight", at(day, 23.9), user, business.business_id)
            sitting.log_in()
            while sitting.at_ms < at(day, 24.2):
                sitting.work(1)
            events += sitting.events
    return events


def _exact_gaps(random: Random, user: User, business: Business, day: date) -> list[Event]:
    """A gap of exactly half an hour goes on with the visit; a millisecond more does not."""
    device = Device("198.18.203.1", DESKTOPS[2], "gap-1")
    sitting = Sitting(random, device, "exact gaps", at(day, 9), user, business.business_id, is_logged_in=True)
    for gap in (_HALF_HOUR_S, _HALF_HOUR_S + 0.001, _HALF_HOUR_S - 0.001, 0):
        sitting.request("GET", "/dashboard")
        sitting.wait(gap)
    sitting.request("GET", "/calendar")
    return sitting.events


def _wall_display(random: Random, user: User, business: Business, day: date) -> list[Event]:
    """A screen that asks every two minutes for three days: a visit without end, but for midnights."""
    device = Device("198.18.204.1", DESKTOPS[4], "wall-1")
    sitting = Sitting(random, device, "wall display", at(day, 6), user, business.business_id, is_logged_in=True)
    while sitting.at_ms < at(day + timedelta(days=3), 6):
        sitting.request("GET", "/api/v1/summary", referrer="")
        sitting.wait(120)
    return sitting.events


def _changing_networks(random: Random, business: Business, dates: list[date]) -> list[Event]:
    """Phones without a cookie that change networks in the middle of a visit; every line names the user."""
    events: list[Event] = []
    for number, user in enumerate(business.users[:2]):
        for day in dates:
            device = Device(_cellular(random), PHONES[number], change_ip=_cellular)
            sitting = Sitting(random, device, "changing networks", at(day, 13 + number), user, business.business_id)
            sitting.is_logged_in = True
            sitting.work(6)
            events += sitting.events
    return events


def _site_visitors(random: Random, dates: list[date], a_day: int) -> list[Event]:
    """People who look at the marketing site and are never known."""
    events: list[Event] = []
    for day in dates:
        for _ in range(a_day):
            ip = f"198.19.{random.randrange(200, 250)}.{random.randrange(1, 250)}"
            device = Device(ip, random.choice(DESKTOPS + PHONES), source="site")
            sitting = Sitting(random, device, "site", at(day, random.uniform(0, 23.5)))
            landing = random.choice(("/", "/", "/pricing", "/blog/why-notes-matter", "/features"))
            if random.random() < 0.2:
                landing += f"?{random.choice(CAMPAIGNS)}"
            sitting.page(landing, referrer=random.choice(REFERRERS))
            for _ in range(random.choice((0, 0, 0, 1, 2, 4))):
                sitting.think()
                sitting.page(random.choice(("/pricing", "/features", "/blog/why-notes-matter", "/about", "/missing")))
            events += sitting.events
    return events


def _bots(random: Random, dates: list[date], a_day: int) -> list[Event]:
    """Crawlers, checkers and those who try the doors."""
    events = []
    for day in dates:
        for _ in range(a_day):
            target = random.choice((*ATTACKS, "/robots.txt", "/", "/", "/pricing", "/features", "/sitemap.xml"))
            source = random.choice(("site", "site", "web"))
            is_fine = target in ("/", "/pricing", "/features", "/robots.txt")
            events.append(
                Event(
                    at_ms=at(day, random.uniform(0, 24)),
                    source=source,
                    ip=f"192.0.2.{random.randrange(1, 250)}",
                    user_agent=random.choice(BOTS),
                    method=random.choice(("GET", "GET", "GET", "HEAD")),
                    target=target,
                    status=200 if is_fine else random.choice((404, 403, 400)),
                    bytes_sent=random.randrange(100, 9000),
                    duration_ms=random.randrange(1, 60),
                    scenario="bots",
                    is_bot=True,
                )
            )
    return events


def _health_checks(dates: list[date]) -> list[Event]:
    """A load balancer that asks twice at the same instant, every five minutes: equal lines that are all real."""
    events = []
    for day in dates:
        for number in range(288):
            for _ in range(2):
                event = Event(at(day, number / 12), "site", "203.0.113.200", "ELB-HealthChecker/2.0", "GET", "/healthz")
                event.bytes_sent, event.scenario, event.is_bot = 2, "health checks", True
                events.append(event)
    return events


def _internal_area(random: Random, business: Business, dates: list[date]) -> list[Event]:
    """Pages behind the web server's own password: the login name is a user's email."""
    events: list[Event] = []
    for number, user in enumerate(business.users[-2:]):
        device = Device(f"198.18.205.{number + 1}", DESKTOPS[7 + number], source="site")
        for day in dates[::2]:
            sitting = Sitting(random, device, "internal area", at(day, 15), user)
            for target in ("/internal/", "/internal/status", "/internal/report"):
                sitting.page(target)
                sitting.wait(40)
            for event in sitting.events:
                event.login = user.email
            events += sitting.events
    return events


def _guest_at_home(random: Random, business: Business, dates: list[date]) -> list[Event]:
    """Somebody without cookies works at home; a guest with the same browser looks at the site at the same time."""
    events: list[Event] = []
    user = business.users[0]
    for day in dates[::2]:
        device = Device("198.19.206.1", DESKTOPS[6])
        sitting = Sitting(random, device, "guest at home", at(day, 19), user, business.business_id)
        sitting.log_in()
        sitting.work(4)
        guest = Sitting(random, device, "guest at home", at(day, 19.01))
        guest.page("/", referrer=random.choice(REFERRERS))
        guest.think()
        guest.page("/pricing")
        events += sitting.events + guest.events
    return events


def _break_notes(random: Random, events: list[Event], business: Business, dates: list[date]) -> None:
    """The incident: for twenty minutes of an afternoon, notes of one Business cannot be saved."""
    day = dates[-5]
    for event in events:
        if event.business_id == business.business_id and at(day, 16) <= event.at_ms < at(day, 16 + 1 / 3):
            if event.target.startswith("/api/v1/"):
                event.status, event.duration_ms = 500, 3000 + random.randrange(4000)
            event.scenario = "incident"

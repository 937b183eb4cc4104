"""Who there is: Businesses of very different size, their users, and the database that says so."""

from __future__ import annotations

import sqlite3
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

FIRST_NAMES = [
    "Ann",
    "Zoë",
    "José",
    "Mei",
    "Olivia",
    "Noah",
    "Amélie",
    "Søren",
    "Łukasz",
    "Priya",
    "Omar",
    "Ingrid",
    "Mateo",
    "Chloé",
    "Yuki",
    "Fatima",
    "Liam",
    "Björn",
    "Nadia",
    "Hugo",
    "Élodie",
    "Ravi",
    "Sofia",
    "Jürgen",
    "Aisha",
    "Tomás",
    "Grace",
    "Kenji",
    "Leïla",
    "Marco",
    "Hannah",
    "Andrés",
    "Freya",
    "Samuel",
    "Inês",
    "Dmitri",
    "Clara",
    "Kofi",
    "Lucía",
    "Emil",
    "Wei",
    "Rosa",
    "Victor",
    "Anaïs",
    "Theo",
    "Šárka",
    "Paul",
    "Nora",
    "Ivan",
    "Maya",
]
LAST_NAMES = [
    "Example",
    "Müller",
    "García",
    "Smith",
    "Nowak",
    "Chen",
    "Okafor",
    "Ångström",
    "Dubois",
    "Rossi",
    "Tanaka",
    "Hansen",
    "O'Neill",
    "Peña",
    "Khan",
    "Silva",
    "Novák",
    "Lefèvre",
    "Kowalski",
    "Brown",
    "Yılmaz",
    "Fischer",
    "Mbeki",
    "Larsson",
    "Costa",
    "Weiß",
    "Singh",
    "Martin",
    "Dvořák",
    "Ito",
    "Lopez",
    "Meyer",
    "Nguyễn",
    "Bakker",
    "Ferrari",
    "Jönsson",
    "Álvarez",
    "Schmidt",
    "Haddad",
    "Moreau",
    "Kim",
    "Petrov",
    "Sato",
    "Bauer",
    "Adeyemi",
    "Ruiz",
    "Holm",
    "Vega",
    "Marsh",
    "Quinn",
]
_PLACES = [
    "Northwind",
    "Harbour",
    "Cedar",
    "Maple",
    "River",
    "Summit",
    "Lantern",
    "Juniper",
    "Beacon",
    "Willow",
    "Orchard",
    "Granite",
]
_TRADES = [
    "Therapy",
    "Clinic",
    "Counselling",
    "Coaching",
    "Tutoring",
    "Care",
    "Rehab",
    "Dental",
    "Physio",
    "Wellness",
    "Legal",
    "Studio",
]
_SIZES = (900, 420, 260, 180, 140, 110, 90, 80, 70, 60, 55, 50, 45, 40, 35, 30, 28, 25, 22, 20, 15, 12, 8, 5, 5)
FIRST_DAY = date(2026, 3, 2)


@dataclass
class Business:
    """A customer of the service."""

    business_id: str
    name: str
    users: list[User] = field(default_factory=list)


@dataclass(frozen=True)
class User:
    """Somebody who works at a Business, or at several."""

    user_id: str
    name: str
    email: str
    date_of_birth: date
    created_at: datetime


def make_businesses(random: Random, scale: float) -> list[Business]:
    """Make Businesses and their users; at any scale there are all of them, and no fewer than four users in each."""
    businesses = []
    number = 1000
    for place, size in enumerate(_SIZES):
        name = f"{_PLACES[place % len(_PLACES)]} {_TRADES[(place * 5) % len(_TRADES)]}"
        business = Business(f"b{place + 1:02}", name if place < len(_PLACES) else f"{name} {place}")
        for _ in range(max(4, round(size * scale))):
            number += 1
            business.users.append(_make_user(random, number, business))
        businesses.append(business)
    businesses[1].users.append(businesses[0].users[0])  # somebody who works at two
    return businesses


def _make_user(random: Random, number: int, business: Business) -> User:
    first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    mailbox = f"{_ascii(first)}.{_ascii(last)}"
    tag = random.choice(("", "", "", "", "+work", f".{number}"))
    domain = random.choice(("example.com", "example.org", "example.net", f"{_ascii(business.name.split()[0])}.example"))
    born = date(1955, 1, 1) + timedelta(days=random.randrange(18_000))
    created = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(60_000_000))
    return User(f"u{number}", f"{first} {last}", f"{mailbox}{tag}{number if not tag else ''}@{domain}", born, created)


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L").replace("ß", "ss").replace("ı", "i"))
    return "".join(char for char in plain if char.isascii() and char.isalnum()).lower()


def write_database(path: Path, businesses: list[Business], missing: set[str]) -> None:
    """Write the service's own database; users in `missing` are in the logs and not in it."""
    users = {user.user_id: user for business in businesses for user in business.users if user.user_id not in missing}
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            create table users (id text primary key, name text, email text, date_of_birth text, created_at text);
            create table businesses (id text primary key, name text);
            create table memberships (user_id text, business_id text, role text, primary key (user_id, business_id));
            """
        )
        connection.executemany(
            "insert into users values (?, ?, ?, ?, ?)",
            [
                (user.user_id, user.name, user.email, user.date_of_birth.isoformat(), user.created_at.isoformat())
                for user in users.values()
            ],
        )
        connection.executemany("insert into businesses values (?, ?)", [(b.business_id, b.name) for b in businesses])
        connection.executemany(
            "insert into memberships values (?, ?, ?)",
            [
                (user.user_id, business.business_id, "owner" if place == 0 else "staff")
                for business in businesses
                for place, user in enumerate(business.users)
                if user.user_id in users
            ],
        )
    connection.close()

"""Who may see what: roles, what each may do, and the `access` file that gives people a role and their Businesses.

How somebody shows who they are is in `signin.py`; which rows a Business has is the look-up's.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.settings import SettingError
from pipeline.web.passwords import is_hash

Capability = Literal[
    "search", "user", "visit", "request", "affected", "export", "reveal", "raw_line", "errors", "who_looked", "privacy"
]
_LOOK_UP: set[Capability] = {"search", "user", "visit", "request", "affected", "export", "reveal"}
MAY: Mapping[str, frozenset[Capability]] = {
    "support": frozenset(_LOOK_UP),
    "engineer": frozenset(_LOOK_UP | {"raw_line", "errors"}),
    "privacy": frozenset(_LOOK_UP | {"raw_line", "who_looked", "privacy"}),
    "admin": frozenset(_LOOK_UP | {"raw_line", "errors", "who_looked", "privacy"}),
}
_KEYS = ("role", "businesses", "password")


class AccessError(SettingError):
    """The `access` file cannot be used; the message names the file, the person and the key."""


@dataclass(frozen=True)
class Actor:
    """Who asks for a page.

    Attributes:
        name: what they signed in as.
        role: one of `MAY`.
        businesses: ids of the Businesses that they see; None for all.
    """

    name: str
    role: str
    businesses: tuple[str, ...] | None

    def may(self, what: Capability) -> bool:
        """Whether their role may do it; in which Businesses is another question."""
        return what in MAY[self.role]


@dataclass(frozen=True)
class Person:
    """Somebody in the `access` file.

    Attributes:
        actor: who they are once signed in.
        password: the hash of their password; None where they have none here.
    """

    actor: Actor
    password: str | None


class AccessFile:
    """The `access` file, as it is now: a person taken out of it is gone at the next question."""

    def __init__(self, path: Path, with_passwords: bool) -> None:
        """Read it for the first time.

        Args:
            path: the file.
            with_passwords: whether each person must have a password.

        Raises:
            AccessError: it cannot be used.
        """
        self._path = path
        self._with_passwords = with_passwords
        self._content: bytes | None = None
        self._people: Mapping[str, Person] = {}
        self.people()

    def people(self) -> Mapping[str, Person]:
        """Return the people by name.

        Raises:
            AccessError: the file cannot be used any more. What it said before is not what it says now.
        """
        try:
            # Small enough to be read each time, which shows a change that has the same size and second, too.
            content = self._path.read_bytes()
        except OSError as error:
            raise AccessError(f"{self._path}: cannot be read: {error.strerror}") from error
        if content != self._content:
            self._people = read_people(content, str(self._path), self._with_passwords)
            self._content = content
        return self._people


def read_people(content: bytes, source: str, with_passwords: bool) -> dict[str, Person]:
    """Read the people of an `access` file.

    Args:
        content: the TOML document.
        source: what messages call it.
        with_passwords: whether each person must have a password.

    Returns:
        The people by name.

    Raises:
        AccessError: with the source, person and key that are wrong.
    """
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AccessError(f"{source}: not valid TOML: {error}") from error
    people = document.pop("people", None)
    if document:
        raise AccessError(f"{source}: unknown key '{next(iter(document))}'; known is people")
    if not isinstance(people, dict) or not people:
        raise AccessError(
            f'{source}: names nobody; it must have a table per person, such as [people."ana@example.net"]'
        )
    return {name: _person(name, said, source, with_passwords) for name, said in people.items()}


def write_person(person: Person) -> str:
    """Return somebody's section of an `access` file, which `read_people` reads as the same person."""
    actor = person.actor
    businesses = "all" if actor.businesses is None else list(actor.businesses)
    lines = [f"[people.{_quoted(actor.name)}]", f"role = {_quoted(actor.role)}", f"businesses = {_quoted(businesses)}"]
    if person.password is not None:
        lines.append(f"password = {_quoted(person.password)}")
    return "\n".join(lines) + "\n"


def _quoted(value: str | list[str]) -> str:
    """Write a text, or a list of them, as TOML does: as JSON, but for surrogate pairs and the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _person(name: str, said: Any, source: str, with_passwords: bool) -> Person:
    where = f"{source}: people.{_quoted(name)}"
    if not is_name(name):
        raise AccessError(f"{where}: a name must be visible characters, without a blank before or after")
    if not isinstance(said, dict):
        raise AccessError(f"{where} must be a table of {', '.join(_KEYS)}")
    for key in said:
        if key not in _KEYS:
            raise AccessError(f"{where} has an unknown key '{key}'; known are {', '.join(_KEYS)}")
    role = said.get("role")
    if not isinstance(role, str) or role not in MAY:
        raise AccessError(f"{where}.role is {_said(role)}; it must be one of {', '.join(MAY)}")
    businesses = _businesses(said.get("businesses"), role, f"{where}.businesses")
    password = said.get("password")
    if password is None and with_passwords:
        raise AccessError(f"{where}.password is absent; `trail account` writes one")
    if password is not None and not (isinstance(password, str) and is_hash(password)):
        raise AccessError(f"{where}.password is not a hash as `trail account` writes it")
    return Person(Actor(name, role, businesses), password)


def is_name(text: str) -> bool:
    """Whether a text can be somebody's name: visible characters, and blanks only between them."""
    return text.isprintable() and text.strip() == text != ""


def _businesses(said: Any, role: str, where: str) -> tuple[str, ...] | None:
    if said == "all" or (said is None and role != "support"):
        return None
    # An empty list would see nothing, and be taken for "all" by whoever forgets that.
    if not isinstance(said, list) or not said or not all(isinstance(item, str) and item for item in said):
        raise AccessError(f'{where} is {_said(said)}; it must be a list of ids such as ["b1", "b7"], or "all"')
    return tuple(said)


def _said(value: Any) -> str:
    return "absent" if value is None else repr(value)

"""Who may see what: the `access` file, roles, passwords, and the command that makes an account."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.cli.account import account
from pipeline.web.access import MAY, AccessError, AccessFile, Actor, Person, read_people, write_person
from pipeline.web.passwords import NOBODYS, hash_password, is_hash, matches

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[people", "not valid TOML"),
        ("", "names nobody"),
        ("[people]", "names nobody"),
        ("[person.ana]\nrole = 'admin'", "unknown key 'person'"),
        ("people.ana = 1", 'people."ana" must be a table'),
        ("[people.ana]", 'people."ana".role is absent'),
        ("[people.ana]\nrole = 'root'", "role is 'root'; it must be one of support, engineer, privacy, admin"),
        ("[people.ana]\nrole = ['admin']", "role is"),
        ("[people.ana]\nrole = 'support'", 'people."ana".businesses is absent'),
        ("[people.ana]\nrole = 'support'\nbusinesses = []", "businesses is \\[\\]"),
        ("[people.ana]\nrole = 'admin'\nbusinesses = 'b1'", "businesses is 'b1'"),
        ("[people.ana]\nrole = 'admin'\nbusinesses = [1]", "businesses is \\[1\\]"),
        ("[people.ana]\nrole = 'admin'\nbusiness = ['b1']", "unknown key 'business'"),
        ("[people.ana]\nrole = 'admin'", 'people."ana".password is absent'),
        ("[people.ana]\nrole = 'admin'\npassword = 'hunter2'", "password is not a hash"),
        ("[people.' ana']\nrole = 'admin'", "a name must be visible"),
        ('[people."a\\u0007na"]\nrole = "admin"', "a name must be visible"),
    ],
)
def test_what_is_wrong_in_the_access_file_is_said(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "access.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AccessError, match=problem) as error:
        AccessFile(path, with_passwords=True)
    assert str(error.value).startswith(str(path))
    assert "hunter2" not in str(error.value)


def test_an_access_file_that_is_absent_is_said(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=r"gone.toml: cannot be read"):
        AccessFile(tmp_path / "gone.toml", with_passwords=True)


def test_who_sees_which_business_by_default() -> None:
    people = read_people(b"people.a = {role = 'admin'}\npeople.s = {role = 'support', businesses = 'all'}", "f", False)
    assert [person.actor.businesses for person in people.values()] == [None, None]


def test_roles() -> None:
    may = {what: {role for role in MAY if Actor("x", role, None).may(what)} for what in MAY["admin"]}
    everybody = set(MAY)
    narrow = {"raw_line": everybody - {"support"}, "errors": {"engineer", "admin"}, "who_looked": {"privacy", "admin"}}
    narrow["privacy"] = {"privacy", "admin"}
    assert may == {what: narrow.get(what, everybody) for what in may}
    assert everybody == {"support", "engineer", "privacy", "admin"}


_NAMES = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and text.strip() == text)
_IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@example("ana", "support", ("\x7f", '"\\\n\x00\u2028😀'))
@settings(deadline=None)
@given(_NAMES, st.sampled_from(list(MAY)), st.none() | st.lists(_IDS, min_size=1, max_size=3).map(tuple))
def test_a_section_is_read_as_what_was_written(name: str, role: str, businesses: tuple[str, ...] | None) -> None:
    person = Person(Actor(name, role, businesses), HASH)
    assert read_people(write_person(person).encode(), "f", with_passwords=True) == {name: person}


@pytest.mark.parametrize("name", ['a"b\\c', "[people]", "ana@support.example", "Zoë 🦉"])
def test_the_command_prints_a_section(name: str) -> None:
    said = [name, "--role", "support", "--business", "b1", "--business", 'b"7']
    result = CliRunner().invoke(account, said, input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    section = tomllib.loads(result.stdout)["people"][name]
    assert (section["role"], section["businesses"]) == ("support", ["b1", 'b"7'])
    assert matches(PASSWORD, section["password"])


def test_the_command_says_what_is_missing() -> None:
    short = CliRunner().invoke(account, ["ana", "--role", "admin"], input="short\nshort\n")
    assert short.exit_code == 1
    assert "at least 12" in short.stderr
    assert not short.stdout
    for said, problem in (
        (["ana", "--role", "support"], "businesses is []"),
        ([" ", "--role", "admin"], "a name must"),
    ):
        result = CliRunner().invoke(account, said)
        assert isinstance(result.exception, AccessError)
        assert problem in str(result.exception)
        assert not result.output
    every = CliRunner().invoke(account, ["s", "--role", "support", "--business", "all"], input=f"{PASSWORD}\n" * 2)
    assert tomllib.loads(every.stdout)["people"]["s"]["businesses"] == "all"


def test_a_hash_is_salted_and_fits_its_password_only() -> None:
    assert is_hash(HASH)
    assert hash_password(PASSWORD) != HASH
    assert HASH.startswith("scrypt$15$8$1$")
    assert matches(PASSWORD, HASH)
    assert not matches(PASSWORD + " ", HASH)
    assert matches("e\u0301" * 12, hash_password("é" * 12))
    assert is_hash(NOBODYS)
    assert not any(
        is_hash(text) for text in ("", HASH[:-1], HASH + "\n", HASH.replace("$15$", "$4$"), "scrypt$15$8$1$$")
    )

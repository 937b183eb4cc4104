"""What addresses hold that a log should not: which values, where they stand, how often; masked ones are gone."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.privacy.found import UNNAMED, Found, addresses_hold_nothing_personal, find_personal, kinds_of
from pipeline.warehouse import connect
from tests.conftest import Demo
from tests.ingest.deliveries import House
from tests.privacy.houses import line


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("ann@example.org", ["email"]),
        ("ann.o%2Ftag%40mail.example.co.uk", ["email"]),
        ("to:ann@example.org", ["email"]),
        ("ann@localhost", []),
        ("@example.org", []),
        ("4111111111111111", ["card"]),
        ("4111-1111-1111-1111", ["card"]),
        ("4111%201111%201111%201111", ["card"]),
        ("4111111111111112", []),
        ("378282246310005", ["card"]),
        ("20260302100000", []),
        ("1790000000000", []),
        ("+491711234567", ["phone"]),
        ("%2B1%20(415)%20555-0134", ["phone"]),
        ("0049 171 1234567", ["phone"]),
        ("0012", []),
        ("01712345678", []),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", ["token"]),
        ("d41d8cd98f00b204e9800998ecf8427e", ["token"]),
        ("Zk3vQ9x_LmP0aB7cD-8eF2gH", ["token"]),
        ("00000000000000000000000000000000", []),
        ("A" * 64, []),
        ("how-to-Write-a-Note-in-2026-03", []),
        ("ThisIsALongButHarmlessName", []),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", []),
        ("6f1c2a34-9b1d-4c7e-8a55-0123456789ab", []),
        ("", []),
    ],
)
def test_kinds_of_values(value: str, kinds: list[str]) -> None:
    assert kinds_of(value) == kinds


@pytest.fixture
def house(tmp_path: Path) -> House:
    return house_of(tmp_path)


def house_of(folder: Path, mask: tuple[str, ...] = ()) -> House:
    house = House(folder, mask=mask)
    token = "Zk3vQ9x_LmP0aB7cD-8eF2gH"
    lines = [
        *(line(second, "u1", "/find?email=ann%40example.org&page=2") for second in range(3)),
        line(4, "u1", "/find?email=bob@example.org&email=bob@example.org#email=a@b.cd"),
        line(5, "u1", f"/reset/{token}/go"),
        line(6, "u1", f"/login?next=/x&code={token}&then=/y?z=1"),
        line(7, "u1", "/", referrer=f"https://pay.example/done?card=4111111111111111&id={token}"),
        line(9, "u1", f"/of/ann%40example.org/{token}?ann@example.org=bob@example.org"),
        line(8, "u1", "/clients/12?q=anything&empty="),
    ]
    house.deliver("web/a.log", b"".join(lines))
    house.run()
    return house


def test_what_is_found_is_told_by_its_place_and_never_as_it_is(house: House) -> None:
    with connect(house.settings) as connection:
        found = find_personal(connection)
        assert found == [
            Found("query", "email", "email", 4),
            Found("path", "/of/", "email", 1),
            Found("path", "/of/{email}/", "token", 1),
            Found("path", "/reset/", "token", 1),
            Found("query", UNNAMED, "email", 1),
            Found("query", "code", "token", 1),
            Found("referrer", "card", "card", 1),
            Found("referrer", "id", "token", 1),
        ]
        assert [one.rule for one in found] == [
            *("?email", "/of/", None, "/reset/", None, "?code", "?card", "?id"),
        ]
        assert find_personal(connection, date(2026, 3, 3)) == find_personal(connection, None, date(2026, 3, 1)) == []
        result = addresses_hold_nothing_personal(connection)
    assert (result.passed, result.numbers["found"]) == (False, 8)
    assert "email in query email, email in path /of/, token in path /of/{email}/" in result.description
    assert "ann" not in f"{result}"


def test_what_is_masked_is_found_no_more(tmp_path: Path) -> None:
    masked = house_of(tmp_path, ("?email", "/reset/", "?code", "?card", "?id", "/of/"))
    with connect(masked.settings) as connection:
        assert find_personal(connection) == [
            Found("path", "/of/xxxxxxxxxxxxxxxxx/", "token", 1),
            Found("query", UNNAMED, "email", 1),
        ], "what no rule can name"
        assert addresses_hold_nothing_personal(connection, date(2026, 3, 3)).passed


def test_the_command_says_what_to_mask(house: House, tmp_path: Path) -> None:
    config = tmp_path / "trail.toml"
    config.write_text(f'landing = "{house.landing}"\nwarehouse = "{house.settings.warehouse}"\n')

    def run(*arguments: str) -> str:
        return CliRunner().invoke(main, ["--config", str(config), "privacy", "found", *arguments]).output

    said = run()
    assert re.search(r"^query +email +email +4 +\?email$", said, re.MULTILINE)
    assert re.search(r"^path +/of/\{email\}/ +token +1 *$", said, re.MULTILINE)
    assert 'mask = ["/of/", "/reset/", "?card", "?code", "?email", "?id"]' in said
    assert "ann" not in said
    assert run("--from", "2026-03-03") == "no address holds an email, token, card or phone number\n"
    assert '"rule": "?email"' in run("--json")


def test_the_demo_holds_nothing_of_the_kind(demo: Demo) -> None:
    with connect(demo.settings) as connection:
        assert find_personal(connection) == []

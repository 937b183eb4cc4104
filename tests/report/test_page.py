"""Pages of small and awkward logs: few people, hostile words, no catalogue, nobody known, nothing at all."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.report import Week
from tests.ingest.deliveries import House
from tests.report.pages import Page, catalogue, line, lines, page_of

WEEK = Week(date(2026, 3, 9))
AFTER = WEEK.last + timedelta(days=1)
USERS = [f"u{number}" for number in range(1, 8)]
FUNNEL = '[funnels.f]\ntitle = "T"\ndescription = "d"\nsteps = ["notes", "notes"]\nwithin = "7 days"\n'
HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\"'&\x1b[31m"


def house_of(folder: Path, *files: bytes, **more: object) -> House:
    """Deliver what is given, with a line of nobody on the first and the last day, and run everything."""
    house = House(folder, builds_all=True, **more)
    ends = line(WEEK.before.first, None, "/", 20) + line(AFTER, None, "/")
    house.deliver("web/a.log", b"".join([*files, ends]))
    house.run()
    return house


def test_few_people_are_not_told_apart(tmp_path: Path) -> None:
    few = lines(WEEK.before.days, USERS[:3]) + lines(WEEK.days, USERS[:3], status=500)
    house = house_of(tmp_path, few, lines(WEEK.days, USERS[4:6], "/other"), features=catalogue(tmp_path, more=FUNNEL))
    page = page_of(house.settings)
    users = page.table("Users, each counted once")
    assert users["All did anything"] == ["5", "fewer than 5", "too few to say"]
    assert users["New never seen before, since the log knows users"][0] == "fewer than 5"
    assert users["Returning here the week before too"][0] == "fewer than 5"
    assert users["Came back seen earlier, but not the week before"][0] == "0"
    assert page.table("Users by the week") == {
        "2 to 8 March 2026 the log's first week: all who were seen in it": [
            "fewer than 5",
            "too few to say fewer than 5",
        ]
    }
    assert page.table("Users whom")["Notes"][0] == "fewer than 5 too few to say"
    (steps,) = page.all_rows("Who reached each step")
    assert steps[1][2].startswith("fewer than 5")
    (labels,) = [attributes["aria-label"] for tag, attributes in page.tags if attributes.get("role") == "img"]
    assert labels is not None
    assert "week before fewer than 5" in labels
    heights = [attributes["height"] for tag, attributes in page.tags if tag == "rect" and attributes.get("y")]
    assert len(heights) == 7, "a column for each day of five users, and none of three"
    for hidden in (" 3 ", " 2 ", " 1 "):
        assert hidden not in f" {' '.join(cell for row in users.values() for cell in row)} "


def test_what_a_log_and_a_catalogue_say_is_text(tmp_path: Path) -> None:
    paths = lines(WEEK.days, USERS, "/<script>x</script>", status=500)
    more = FUNNEL.replace('"T"', f"'''{HOSTILE[:-5]}'''").replace('"d"', f"'''{HOSTILE[:-5]}'''")
    use = lines([*WEEK.before.days, *WEEK.days], USERS)
    house = house_of(tmp_path, use, paths, features=catalogue(tmp_path, HOSTILE, more))
    page = page_of(house.settings)
    tags = {tag for tag, _ in page.tags}
    assert not {"script", "img"} & tags
    assert page.shown.count("<script>alert(1)</script>") >= 4
    assert "\\x1b[31m" in page.shown
    assert "\x1b" not in page.text
    assert "GET /<script>x</script>" in page.table("Answers with a status of 500")


def test_a_route_that_few_met_is_not_named(tmp_path: Path) -> None:
    use = lines([*WEEK.before.days, *WEEK.days], USERS)
    rare = lines(WEEK.days, USERS[:4], "/profile/jane-doe", status=500)
    often = lines(WEEK.days, USERS[:5], "/summary", status=500)
    page = page_of(house_of(tmp_path, use, rare, often).settings)
    assert list(page.table("Answers with a status of 500")) == ["GET /summary"]
    assert "1 route that fewer than 5 known users met is not named" in page.shown
    assert "jane" not in page.text


@pytest.mark.parametrize(("per", "shown"), [("person", ["/often"]), ("visit", [])])
def test_where_others_went_is_told_only_of_several_people(tmp_path: Path, per: str, shown: list[str]) -> None:
    first = WEEK.first
    use = b"".join(line(first, user, "/notes", 10) for user in USERS)
    use += b"".join(line(first, user, "/often", 10).replace(b":00:00+", b":01:00+") for user in USERS[:5])
    use += line(first, USERS[5], "/jane-doe", 10).replace(b":00:00+", b":01:00+")
    more = FUNNEL.replace('within = "7 days"', f'within = "7 days"\nper = "{per}"')
    page = page_of(house_of(tmp_path, use, features=catalogue(tmp_path, more=more)).settings)
    assert "ended the visit fewer than 5" in page.shown
    assert [route for route in ("/often", "/jane-doe") if route in page.text] == shown


def test_a_day_that_the_log_does_not_hold_is_unknown(tmp_path: Path) -> None:
    days = [day for day in WEEK.days if day != date(2026, 3, 11)]
    page = page_of(house_of(tmp_path, lines([*WEEK.before.days, *days], USERS)).settings)
    assert "The log holds nothing of Wednesday 11 March 2026" in page.shown
    (label,) = [attributes["aria-label"] or "" for tag, attributes in page.tags if attributes.get("role") == "img"]
    assert "Wednesday unknown, week before 7" in label
    whole = page_of(house_of(tmp_path / "whole", lines([*WEEK.before.days, *WEEK.days], USERS)).settings)
    assert "The log holds nothing of" not in whole.shown


def test_without_a_catalogue_it_says_how_to_get_one(tmp_path: Path) -> None:
    page = page_of(house_of(tmp_path, lines([*WEEK.before.days, *WEEK.days], USERS)).settings)
    assert page.table("Users, each counted once")["All did anything"] == ["7", "7", "the same"]
    assert "trail features suggest > features.toml" in page.shown
    assert "no catalogue of features" in page.shown
    assert (2, "Who stays") in page.headings
    assert (2, "What to do next") not in page.headings


@pytest.mark.parametrize("has_catalogue", [True, False])
def test_where_nobody_is_known_nobody_is_counted(tmp_path: Path, has_catalogue: bool) -> None:
    nobody = b"".join(line(day, None) for day in [*WEEK.before.days, *WEEK.days])
    more = {"features": catalogue(tmp_path, more=FUNNEL)} if has_catalogue else {}
    page = page_of(house_of(tmp_path, nobody, **more).settings)
    assert "how many there were is unknown" in page.shown
    assert "Users unknown week before: unknown" in page.shown
    assert page.table("Visits of people")["Visits"][:2] == ["7", "8"]
    assert page.table("Visits of people")["Average of the known lengths"][:2] == ["unknown", "unknown"]
    assert "Who stays Unknown: no user is known." in page.shown


def test_before_a_week_is_whole_it_says_so_and_what_was_read(tmp_path: Path) -> None:
    house = House(tmp_path, builds_all=True)
    empty = page_of(house.settings)
    assert empty.headings[0] == (1, "No whole week yet")
    assert "No file was read yet." in empty.shown
    house.deliver("web/a.log", lines(WEEK.days[1:], USERS))
    house.run()
    page = page_of(house.settings)
    assert page.headings[0] == (1, "No whole week yet")
    assert "Tuesday 10 March 2026 to Sunday 15 March 2026" in page.shown
    assert page.table("Every line ever read")["Kept"] == ["42"]


def report(house: House, config: Path, *arguments: str) -> Result:
    config.write_text(f'warehouse = "{house.settings.warehouse}"\n', encoding="utf-8")
    return CliRunner().invoke(main, ["--config", str(config), "report", *arguments])


def test_the_command_writes_the_week_that_is_asked_for(tmp_path: Path) -> None:
    house = house_of(tmp_path, lines([*WEEK.before.days, *WEEK.days], USERS))
    out, config = tmp_path / "week.html", tmp_path / "trail.toml"
    done = report(house, config, "--out", str(out))
    assert (done.exit_code, done.output) == (0, f"week of 2026-03-09 to 2026-03-15: {out}\n")
    assert Page(out.read_text(encoding="utf-8")).headings[0] == (1, "Week of 9 to 15 March 2026")
    done = report(house, config, "--out", str(out), "--to", "2026-03-04")
    assert done.output == f"week of 2026-03-02 to 2026-03-08: {out}\n"
    assert "Week of 2 to 8 March 2026" in out.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["landing", "trail.toml", "warehouse", "week.html"]


def test_a_file_that_cannot_be_written_is_one_line_and_keeps_the_one_before(tmp_path: Path) -> None:
    house, config = House(tmp_path, builds_all=True), tmp_path / "trail.toml"
    for out, said in ((tmp_path / "no" / "week.html", "make it first"), (tmp_path, "is a folder; name a file in it")):
        done = report(house, config, "--out", str(out))
        assert done.exit_code == 1
        assert said in done.output
        assert "Traceback" not in done.output
    assert not (tmp_path / "no").exists()

"""The weekly page in a real Chromium, as a file: what axe finds in the light, in the dark, on a phone; on paper."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipeline.report import Week
from tests.beacon.servers import chromium
from tests.conftest import Demo
from tests.ingest.deliveries import House
from tests.report.pages import catalogue, lines, page_of
from tests.web.chromium import SIGHTS, Sight, Window

PAGES = ("week", "first week", "few people", "nothing")
A4_PX = 688  # the width of A4 without the page's margins, at 96 px an inch


@pytest.fixture(scope="module")
def folder(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of the demo's two weeks, of a few people and long words, and of nothing."""
    made = tmp_path_factory.mktemp("pages")
    few = House(
        made / "few",
        builds_all=True,
        features=catalogue(made, "A feature of a title that is as long as titles are ever made"),
    )
    week = Week(date(2026, 3, 9))
    few.deliver("web/a.log", lines([*week.before.days, *week.days], ["u1", "u2"]))
    few.deliver("web/b.log", lines(week.days, map(str, range(9)), f"/{'long' * 40}", status=500))
    few.run()
    for name, page in (
        ("week", page_of(demo.settings)),
        ("first week", page_of(demo.settings, date(2026, 3, 8))),
        ("few people", page_of(few.settings)),
        ("nothing", page_of(House(made / "nothing", builds_all=True).settings)),
    ):
        (made / f"{name}.html").write_text(page.text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield Window(driver, {}, {})


def open_page(browser: Window, folder: Path, name: str) -> None:
    browser.driver.get((folder / f"{name}.html").as_uri())


@pytest.mark.parametrize("sight", SIGHTS.values(), ids=SIGHTS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_keeps_anybody_from_reading_it(browser: Window, folder: Path, name: str, sight: Sight) -> None:
    browser.see(sight)
    open_page(browser, folder, name)
    assert browser.faults(sight) == []
    assert browser.complaints() == []


def test_it_is_dark_where_the_screen_is(browser: Window, folder: Path) -> None:
    grounds = []
    for sight in ("light", "dark"):
        browser.see(SIGHTS[sight])
        open_page(browser, folder, "week")
        grounds.append(browser.js("return getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(18, 23, 29)"]


def test_marks_of_both_weeks_differ_without_colour(browser: Window, folder: Path) -> None:
    open_page(browser, folder, "week")
    look = (
        "const look = getComputedStyle(document.querySelector(arguments[0])); return [look.strokeDasharray, look.fill]"
    )
    (now_dash, now_fill), (was_dash, was_fill) = (browser.js(look, mark) for mark in ("rect.now", "rect.was"))
    assert (now_dash, was_dash) == ("none", "3px, 2px")
    assert now_fill != was_fill


@pytest.mark.parametrize("name", PAGES)
def test_it_fits_on_paper_and_is_light_there(browser: Window, folder: Path, name: str) -> None:
    open_page(browser, folder, name)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.cdp("Emulation.setEmulatedMedia", media="print", features=[dark])
    size = {"width": A4_PX, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.cdp("Emulation.setDeviceMetricsOverride", **size)
    try:
        assert browser.js("return document.documentElement.scrollWidth") <= A4_PX
        assert browser.js("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        browser.cdp("Emulation.setEmulatedMedia", media="", features=[])

"""Scores: counts as by hand, truth recovered, what is few not told, and no Business that makes the ranking alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from math import hypot
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from pipeline.models import run_model
from pipeline.product.candidates import candidates, matrix, scores
from pipeline.product.intervals import difference_interval
from pipeline.product.scoring import score_definition, score_features
from pipeline.settings import Settings
from pipeline.warehouse import connect
from tests.conftest import Demo
from tests.product.histories import BUSINESSES, FIRST, tables

Rows = list[dict[str, Any]]
FEATURES = ("notes", "calendar")


def settings(folder: Path, *features: str, more: str = "") -> Settings:
    """Settings with a catalogue of some features."""
    said = f'description = "x"\nowner = "y"\npatterns = [{{ route = "/x" }}]\n{more}'
    catalogue = folder / "features.toml"
    catalogue.write_text("\n".join(f"[features.{name}]\n{said}" for name in features), encoding="utf-8")
    return Settings(features=catalogue)


def use(day: date, user: str | None, business: str | None, feature: str, **counts: int) -> dict[str, Any]:
    none = {"uses": 1, "errors": 0, "retries": 0, "abandoned": 0}
    return {"date": day, "user_id": user, "business_id": business, "feature": feature} | none | counts


def there(day: date, user: str, business: str | None) -> dict[str, Any]:
    return {"date": day, "user_id": user, "business_id": business, "is_bot": False}


def scored(told: Settings, user_days: Rows, feature_days: Rows) -> dict[tuple[str, str], dict[str, Any]]:
    """Score what was done."""
    with tables(user_days=user_days, feature_days=feature_days) as connection:
        for name in ("feature_measures", "feature_staying"):
            made = run_model(connection, name, settings=told)
            connection.register(f"{name}_made", made)
            connection.execute(f"create or replace view {name} as from {name}_made")
        return {(row["feature"], row["measure"]): row for row in score_features(connection, told).to_pylist()}


def random_use(random: Random) -> tuple[Rows, Rows]:
    span = random.choice((10, 30, 70))
    user_days, feature_days = {}, {}
    for user in range(random.randint(1, 9)):
        for _ in range(random.randint(1, 20)):
            day, business = FIRST + timedelta(random.randrange(span)), random.choice(BUSINESSES)
            user_days[day, user, business] = there(day, f"u{user}", business)
            for feature in FEATURES:
                if random.random() < 0.5:
                    trouble = {name: int(random.random() < 0.1) for name in ("errors", "retries", "abandoned")}
                    key = day, user, business, feature
                    feature_days[key] = use(day, f"u{user}", business, feature, **trouble)
    return list(user_days.values()), list(feature_days.values())


def expected_measures(user_days: Rows, feature_days: Rows) -> set[tuple[Any, ...]]:
    newest, oldest = (end(row["date"] for row in user_days) for end in (max, min))
    weeks = max(1, min(4, ((newest - oldest).days + 1) // 14))

    def part(back: int) -> set[date]:
        days = {newest - timedelta(back + number) for number in range(7 * weeks)}
        return days if min(days) >= oldest else set()

    def counted(days: set[date], keep: Any) -> tuple[set[str], dict[str, dict[str, set[date]]], dict[str, set[str]]]:
        people = {row["user_id"] for row in user_days if row["date"] in days and keep(row["business_id"])}
        used: dict[str, dict[str, set[date]]] = {feature: defaultdict(set) for feature in FEATURES}
        trouble: dict[str, set[str]] = {feature: set() for feature in FEATURES}
        for row in feature_days:
            if row["date"] in days and keep(row["business_id"]):
                used[row["feature"]][row["user_id"]].add(row["date"])
                if row["errors"] or row["retries"] or row["abandoned"]:
                    trouble[row["feature"]].add(row["user_id"])
        return people, used, trouble

    now, before, need = part(0), part(7 * weeks), max(2, weeks)
    found: set[tuple[Any, ...]] = set()
    known = {row["business_id"] for row in user_days if row["date"] in now}
    for feature in FEATURES:
        for scope, business in [("all", None), *(("business", one) for one in BUSINESSES)]:
            keep = (lambda _: True) if scope == "all" else lambda of, business=business: of == business
            people, used, trouble = counted(now, keep)
            of = used[feature]
            if people:
                found.add((feature, "reach", None, scope, business, len(of), len(people)))
                habit = sum(len(days) >= need for days in of.values())
                found.add((feature, "habit", None, scope, business, habit, len(people)))
                found.add((feature, "friction", None, scope, business, len(trouble[feature]), len(of)))
            people_before, used_before, _ = counted(before, keep)
            were = used_before[feature].keys()
            if were:
                found.add((feature, "kept", None, scope, business, len(were & of.keys()), len(were)))
            if scope == "all":
                if people_before:
                    found.add((feature, "reach_before", None, "all", None, len(were), len(people_before)))
                for days in {len(days) for days in of.values()}:
                    many = sum(len(of[user]) == days for user in of)
                    found.add((feature, "days", days, "all", None, many, len(of)))
        with_use = {row["business_id"] for row in feature_days if row["date"] in now and row["feature"] == feature}
        if known - {None}:
            found.add((feature, "businesses", None, "all", None, len(with_use - {None}), len(known - {None})))
        for business in known - {None}:
            people, used, _ = counted(now, lambda of, business=business: of != business)
            habit = sum(len(days) >= need for days in used[feature].values())
            found.add((feature, "habit", None, "without", business, habit, len(people)))
    return {(*row, weeks) for row in found}


def test_measures_equal_the_definitions(tmp_path: Path) -> None:
    told = settings(tmp_path, *FEATURES)
    for seed in range(80):
        user_days, feature_days = random_use(Random(seed))
        with tables(user_days=user_days, feature_days=feature_days) as connection:
            rows = run_model(connection, "feature_measures", settings=told).to_pylist()
        found = [tuple(row.values()) for row in rows]
        assert len(found) == len(set(found))
        assert set(found) == expected_measures(user_days, feature_days), seed


def test_the_year_before_is_taken_out(tmp_path: Path) -> None:
    last = FIRST + timedelta(500)
    user_days, feature_days = [], []
    for back, users in ((0, 60), (28, 40), (364, 50), (392, 20)):
        for number in range(100):
            user_days.append(there(last - timedelta(back), f"u{number}", "b1"))
            if number < users:
                feature_days.append(use(last - timedelta(back), f"u{number}", "b1", "notes"))
    user_days.append(there(last - timedelta(500), "u1", "b1"))
    trend = scored(settings(tmp_path, "notes"), user_days, feature_days)["notes", "trend"]
    assert trend["value"] == pytest.approx((0.6 - 0.4) - (0.5 - 0.2))
    now, then = difference_interval(60, 100, 40, 100), difference_interval(50, 100, 20, 100)
    assert trend["value"] - trend["low"] == pytest.approx(hypot(0.2 - now[0], then[1] - 0.3))
    assert trend["high"] - trend["value"] == pytest.approx(hypot(now[1] - 0.2, 0.3 - then[0]))
    assert trend["note"] == "the change of the same weeks a year before taken out"
    without = [row for row in user_days if row["date"] > last - timedelta(100)]
    only = scored(settings(tmp_path, "notes"), without, feature_days)["notes", "trend"]
    assert (only["value"], only["people"]) == (None, None), "of 56 days needed, the log has 29"


SERVICES = 1_000


def services(random: np.random.Generator, effect: float) -> tuple[Rows, Rows]:
    """A thousand Businesses with a feature each, of which heavy users use more; who used it stays by `effect` more."""
    user_days: Rows = [there(FIRST, "nobody", None), there(FIRST + timedelta(55), "nobody", None)]
    feature_days: Rows = []
    for service in range(SERVICES):
        business, feature = f"b{service}", f"f{service}"
        for number in range(40):
            user, is_heavy = f"{service}-{number}", number < 20
            days = random.choice(28, size=8 if is_heavy else 2, replace=False)
            is_user = bool((random.random(len(days)) < 0.15).any())
            stays = random.random() < (0.8 if is_heavy else 0.3) - effect / 2 + effect * is_user
            user_days += [there(FIRST + timedelta(int(day)), user, business) for day in days]
            if is_user:
                feature_days.append(use(FIRST + timedelta(int(days[0])), user, business, feature))
            if stays:
                user_days.append(there(FIRST + timedelta(40), user, business))
    return user_days, feature_days


@pytest.mark.parametrize("effect", [0.0, 0.2])
def test_staying_is_found_and_heavy_use_is_not_taken_for_it(effect: float) -> None:
    user_days, feature_days = services(np.random.default_rng(5), effect)
    with tables(user_days=user_days, feature_days=feature_days) as connection:
        found = run_model(connection, "feature_staying").to_pylist()
    assert len(found) == SERVICES
    held = sum(row["low"] <= effect <= row["high"] for row in found) / SERVICES
    assert 0.927 <= held <= 0.975
    assert np.mean([row["difference"] for row in found]) == pytest.approx(effect, abs=0.02)
    naive = [row["users_stayed"] / row["users"] - row["others_stayed"] / row["others"] for row in found]
    assert np.mean(naive) > effect + 0.1, "without others alike, heavy use looks like staying"


def crowd(random: Random, businesses: int, users: int) -> tuple[Rows, Rows]:
    """Users of some Businesses over eight weeks: each feature has habits of its own."""
    habits = {"notes": 0.6, "calendar": 0.3, "reports": 0.1}
    user_days, feature_days = {}, {}
    for business in range(businesses):
        for number in range(users):
            user = f"{business}-{number}"
            for day in random.sample(range(56), 20):
                at = FIRST + timedelta(day)
                user_days[at, user] = there(at, user, f"b{business}")
                for feature, chance in habits.items():
                    if random.random() < chance:
                        feature_days[at, user, feature] = use(at, user, f"b{business}", feature)
    return list(user_days.values()), list(feature_days.values())


RANKED = ("notes", "calendar", "reports")


def test_a_large_business_with_three_times_the_traffic_changes_no_score(tmp_path: Path) -> None:
    told = settings(tmp_path, *RANKED)
    user_days, feature_days = crowd(Random(1), 8, 12)
    before = scored(told, user_days, feature_days)
    thrice = [row | {"uses": 3 * row["uses"]} if row["business_id"] == "b0" else row for row in feature_days]
    assert scored(told, user_days, thrice) == before
    assert [before[name, "score"]["rank"] for name in RANKED] == [1, 2, 3]


def test_a_business_with_other_habits_and_three_times_the_users_is_named(tmp_path: Path) -> None:
    told = settings(tmp_path, *RANKED)
    user_days, feature_days = crowd(Random(2), 8, 12)
    own = {"notes": "reports", "reports": "notes"}
    other = [
        row | {"feature": own.get(row["feature"], row["feature"])} if row["business_id"] == "b0" else row
        for row in feature_days
    ]
    before = scored(told, user_days, other)

    def thrice(rows: Rows) -> Rows:
        large = [row for row in rows if row["business_id"] == "b0"]
        copies = [row | {"user_id": f"{row['user_id']}-{copy}"} for row in large for copy in range(8)]
        return [*rows, *copies]

    after = scored(told, thrice(user_days), thrice(other))
    for name in RANKED:
        was, became = before[name, "score_by_business"], after[name, "score_by_business"]
        assert became["value"] == pytest.approx(was["value"]), "each Business counts once, however large"
        assert became["rank"] == was["rank"]
    moved = [after[name, "score"] for name in ("calendar", "reports")]
    assert [row["moved_by"] for row in moved] == ["b0", "b0"]
    for name, row in zip(("calendar", "reports"), moved, strict=True):
        rank = before[name, "score"]["rank"]
        assert row["rank_at_best"] <= rank <= row["rank_at_worst"]
        assert row["rank_at_best"] < row["rank_at_worst"]


def test_ranks_without_a_business_are_those_of_the_others(tmp_path: Path) -> None:
    told = settings(tmp_path, *RANKED)
    user_days, feature_days = crowd(Random(3), 5, 8)
    whole = scored(told, user_days, feature_days)
    ranks: dict[str, list[int]] = {name: [whole[name, "score"]["rank"]] for name in RANKED}
    for business in (f"b{number}" for number in range(5)):
        kept = ([row for row in rows if row["business_id"] != business] for rows in (user_days, feature_days))
        others = scored(told, *kept)
        for name in RANKED:
            ranks[name].append(others[name, "score"]["rank"])
    for name in RANKED:
        row = whole[name, "score"]
        assert (row["rank_at_best"], row["rank_at_worst"]) == (min(ranks[name]), max(ranks[name]))


def small(users: int, businesses: int, of_businesses: int = 4) -> tuple[Rows, Rows]:
    user_days = [there(FIRST + timedelta(14), "robot", None) | {"is_bot": True}]
    user_days += [there(FIRST + timedelta(20), f"x{number}", f"b{number}") for number in range(of_businesses)]
    user_days += [there(FIRST + timedelta(20), f"u{number}", f"b{number % businesses}") for number in range(users)]
    feature_days = [
        use(FIRST + timedelta(20), f"u{number}", f"b{number % businesses}", "notes") for number in range(users)
    ]
    return user_days, feature_days


@pytest.mark.parametrize(
    ("users", "businesses", "of_businesses", "note"),
    [
        (4, 4, 4, "not told: fewer than 5 users"),
        (9, 2, 4, "not told: fewer than 3 Businesses"),
        (9, 2, 2, None),
        (5, 3, 4, None),
    ],
)
def test_small_numbers_are_not_told(
    tmp_path: Path, users: int, businesses: int, of_businesses: int, note: str | None
) -> None:
    found = scored(settings(tmp_path, "notes"), *small(users, businesses, of_businesses))
    for row in found.values():
        if note:
            assert row == dict.fromkeys(row) | {"feature": "notes", "measure": row["measure"], "note": note}
    if note is None:
        assert found["notes", "reach"]["people"] == users


def test_a_feature_that_nobody_uses_is_none_and_not_unknown(tmp_path: Path) -> None:
    found = scored(settings(tmp_path, "notes", "unused"), *small(6, 3))
    assert (found["unused", "reach"]["value"], found["unused", "reach"]["of_people"]) == (0.0, 10)
    assert found["unused", "frequency"]["value"] is None
    assert found["unused", "frequency"]["note"] == "nobody used it"
    assert found["notes", "kept"]["note"] == "nobody used it in the weeks before, or the log does not hold them"
    assert found["notes", "trend"]["note"] == "the log does not hold the weeks before"


def test_rice_is_made_of_what_the_team_says(tmp_path: Path) -> None:
    users = small(200, 4)
    said = 'effort = 4\nstrategy = "grow"'
    rice = scored(settings(tmp_path, "notes", more=said), *users)["notes", "rice"]
    assert rice["value"] == 200 * 2 * 1 / 4
    assert rice["note"] == "200 users x impact 2 x confidence 1 / 4 person-weeks"
    rice = scored(settings(tmp_path, "notes", more=said.replace("grow", "see what comes")), *users)["notes", "rice"]
    assert (rice["value"], rice["note"]) == (None, "the catalogue says no strategy that is one of grow, keep, retire")
    few = small(6, 3)
    user_days = [*few[0], *(there(FIRST + timedelta(20), f"y{number}", "b1") for number in range(20))]
    rice = scored(settings(tmp_path, "notes", more=said), user_days, few[1])["notes", "rice"]
    assert rice["value"] == 6 * 2 * 0.5 / 4, "half sure of so few"


def test_candidates_and_matrix_on_the_demo(demo: Demo) -> None:
    with connect(demo.settings) as connection:
        found = candidates(connection).to_arrow_table().to_pylist()
        laid_out = matrix(connection).to_arrow_table().to_pylist()
        by_score = scores(connection, "score").to_arrow_table().to_pylist()
        kinds = [row["kind"] for row in found]
        assert kinds == sorted(kinds, key=("fix", "promote", "retire").index)
        for row in found:
            behind = connection.sql(row["rows"]).to_arrow_table().to_pylist()
            if row["kind"] == "fix":
                assert len({one["user_id"] for one in behind}) == row["people"]
                assert f"{row['people']:,} of its" in row["reason"]
        unused = next(row for row in found if row["kind"] == "retire")
        assert (unused["people"], unused["reason"]) == (0, "nobody uses it, and it does not surely grow")
    assert [row["rank"] for row in by_score] == sorted(row["rank"] for row in by_score)
    assert {row["place"] for row in laid_out} >= {"core", "marginal"}
    middle = sorted(row["breadth"] for row in laid_out)[len(laid_out) // 2]
    for row in laid_out:
        if row["place"] == "core":
            assert row["breadth_low"] >= middle


def test_another_effort_makes_scores_anew(tmp_path: Path) -> None:
    told = settings(tmp_path, "notes")
    before = score_definition(told)
    assert score_definition(replace(told, slow_ms=told.slow_ms + 1)) == before
    assert score_definition(settings(tmp_path, "notes", more="effort = 4")) != before


def test_the_order_of_rows_changes_no_digit() -> None:
    random = Random(6)
    user_days, feature_days = services(np.random.default_rng(6), 0.1)
    one = [row | {"feature": "notes"} for row in feature_days]
    found = []
    for _ in range(3):
        random.shuffle(user_days)
        with tables(user_days=user_days, feature_days=random.sample(one, len(one))) as connection:
            found.append(run_model(connection, "feature_staying").to_pylist())
    assert found[0] == found[1] == found[2]


def test_frequency_is_in_days_a_week(tmp_path: Path) -> None:
    days = [FIRST + timedelta(number) for number in range(56)]
    user_days = [there(day, f"u{number}", f"b{number % 4}") for day in days for number in range(8)]
    feature_days = [use(day, f"u{number}", f"b{number % 4}", "notes") for day in days[-8:] for number in range(8)]
    found = scored(settings(tmp_path, "notes"), user_days, feature_days)["notes", "frequency"]
    assert (found["value"], found["low"], found["high"], found["of_people"]) == (2, 2, 2, 8)


def told_as(**measures: tuple[float, float, float]) -> Rows:
    """Rows of scores of a feature: value, low and high by measure; what is not said is unknown."""
    names = ("score", "reach", "frequency", "friction", "trend", "staying", "rice")
    counts = {"people": 30, "of_people": 100}
    return [
        {"feature": "notes", "measure": name}
        | dict(zip(("value", "low", "high"), measures.get(name, (None,) * 3), strict=True))
        | counts
        for name in names
    ]


OF_OTHERS = {"value": 0.05, "low": 0.02, "high": 0.09, "people": 5, "of_people": 100}
USUAL = [{"feature": name, "measure": "friction"} | OF_OTHERS for name in "ab"]


@pytest.mark.parametrize(
    ("measures", "kind"),
    [
        ({"friction": (0.3, 0.2, 0.4)}, "fix"),
        ({"friction": (0.08, 0.04, 0.12)}, None),
        ({"staying": (0.1, 0.02, 0.2), "reach": (0.3, 0.2, 0.4)}, "promote"),
        ({"staying": (0.1, -0.02, 0.2), "reach": (0.3, 0.2, 0.4)}, None),
        ({"staying": (0.1, 0.02, 0.2), "reach": (0.5, 0.4, 0.6)}, None),
        ({"reach": (0.03, 0.02, 0.04)}, "retire"),
        ({"reach": (0.04, 0.03, 0.06)}, None),
        ({"reach": (0.03, 0.02, 0.04), "trend": (0.02, 0.01, 0.03)}, None),
        ({"reach": (0.03, 0.02, 0.04), "staying": (0.02, 0.01, 0.03)}, "promote"),
    ],
)
def test_only_what_is_sure_is_proposed(measures: dict[str, tuple[float, float, float]], kind: str | None) -> None:
    others = [
        row | {"measure": name} | ({} if name == "friction" else {"value": None})
        for row in USUAL
        for name in ("score", "reach", "frequency", "friction", "trend", "staying", "rice")
    ]
    with tables(feature_scores=[*told_as(**measures), *others]) as connection:
        found = candidates(connection).to_arrow_table().to_pylist()
    assert [(row["kind"], row["feature"]) for row in found if row["feature"] == "notes"] == (
        [(kind, "notes")] if kind else []
    )


def test_a_place_is_sure_or_unclear() -> None:
    scores_of = {"frequency": (2.0, 1.9, 2.1)}
    rows = [
        row | {"feature": name}
        for name, reach in (("few", (0.1, 0.05, 0.15)), ("middle", (0.3, 0.2, 0.4)), ("many", (0.6, 0.5, 0.7)))
        for row in told_as(reach=reach, **scores_of)
    ]
    with tables(feature_scores=rows) as connection:
        found = {row[0]: row[1] for row in matrix(connection).fetchall()}
    assert found == {"few": "unclear", "middle": "unclear", "many": "unclear"}, "as often as the middle, within chance"
    rows = [row | {"low": 2.0, "high": 2.0} if row["measure"] == "frequency" else row for row in rows]
    with tables(feature_scores=rows) as connection:
        found = {row[0]: row[1] for row in matrix(connection).fetchall()}
    assert found == {"few": "niche", "middle": "unclear", "many": "core"}

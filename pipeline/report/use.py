"""What a week says of features and routes: ranks and what to do, funnels, trouble.

Scores are those of the day on which the week ended, asked of the same models as the table `feature_scores`: a page made
later says the same, and equals the table where the log ends with the week.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import duckdb

from pipeline.features import Catalogue, Funnel
from pipeline.features.funnels import within_text
from pipeline.lookup import Period, failing_routes, slow_routes
from pipeline.lookup.rows import Row, rows
from pipeline.models import ask_model
from pipeline.product import friction, funnel
from pipeline.product.candidates import candidates, scores
from pipeline.product.scoring import FEWEST_USERS, score_features
from pipeline.report.weeks import Week
from pipeline.schemas import TABLES
from pipeline.settings import Settings

_ROUTES, _MANY = 5, 1000  # that are named, and that are looked at
_MUCH_SLOWER = 2  # times the usual: as the page of routes marks them


def features_of_week(
    connection: duckdb.DuckDBPyConnection, settings: Settings, catalogue: Catalogue, week: Week, before: Week | None
) -> Row | None:
    """Tell what matters, what to do, where people stop, and what goes wrong.

    Args:
        connection: with every table as a view.
        settings: which catalogue.
        catalogue: what it says.
        week: which week.
        before: the one before; None where the log does not hold it.

    Returns:
        `ranked`, `weeks` (how many scores are of), `next`, `funnels`, `trouble`; None without a catalogue.
    """
    if not catalogue.features:
        return None
    with _scored(connection, settings, week) as scored:
        return {
            "ranked": _ranked(scored, catalogue),
            "weeks": rows(scored, "select max(weeks) as weeks from feature_measures")[0]["weeks"],
            "next": [row | {"title": catalogue.titles[row["feature"]]} for row in _listed(candidates(scored))],
            "funnels": [_funnel(connection, settings, one, catalogue, week, before) for one in catalogue.funnels],
            "trouble": _trouble(connection, catalogue, week, before),
        }


def _scored(connection: duckdb.DuckDBPyConnection, settings: Settings, week: Week) -> duckdb.DuckDBPyConnection:
    """Score the features as of a week's Sunday, on a connection of their own that has nothing else."""
    scored = duckdb.connect()
    days = {name: f"select * from main.{name} where date <= $last" for name in ("user_days", "feature_days")}  # noqa: S608 our own names
    for name in ("feature_measures", "feature_staying"):
        # In the table's order: intervals are drawn at random, by the same draws for the same order only.
        told = ask_model(connection, name, {"last": week.last}, settings, days, order_by=TABLES[name].key)
        scored.register(name, told.to_arrow_table())
    scored.register("feature_scores", score_features(scored, settings))
    return scored


def _ranked(scored: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> list[Row]:
    """The features by rank, each with its scores by measure, and whether others share its place."""
    told: dict[str, Row] = {name: {} for name in catalogue.titles}
    for row in _listed(scores(scored)):
        told[row["feature"]][row["measure"]] = row
    places = [of["score"]["rank"] for of in told.values()]
    found = [
        {"title": catalogue.titles[name], "is_shared": places.count(of["score"]["rank"]) > 1} | of
        for name, of in told.items()
    ]
    return sorted(found, key=lambda row: (row["score"]["rank"] or len(found) + 1, -(row["score"]["value"] or 0)))


def _funnel(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    declared: Funnel,
    catalogue: Catalogue,
    week: Week,
    before: Week | None,
) -> Row:
    """How many got how far through a declared funnel in a week, and in the week before."""
    within = None if declared.within_s is None else within_text(declared.within_s)

    def steps(of: Week) -> list[Row]:
        asked = funnel(
            connection, declared.steps, declared.per, within, first=of.first, last=of.last, settings=settings
        )
        return _listed(asked)

    then = steps(before) if before else [dict.fromkeys(("entered", "from_first"))] * len(declared.steps)
    told = [
        now | {"title": catalogue.titles[now["feature"]], "before": was, "next_did": _next_did(now)}
        for now, was in zip(steps(week), then, strict=True)
    ]
    return {
        "title": declared.title,
        "description": declared.description,
        "per": declared.per,
        "within": within,
        "steps": told,
    }


def _next_did(step: Row) -> list[Row]:
    """What those who stopped did instead, as often as may be told: a rare route may be one person's."""
    found: list[Row] = step["instead"] or []
    least = FEWEST_USERS if step["per"] == "person" else None
    return [
        one for one in found if one["route"] == "ended" or (least is not None and one["times"] >= least)
    ]  # of visits, five may be one person's


def _trouble(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, week: Week, before: Week | None) -> list[Row]:
    """Features whose use failed, or that several retried or gave up; those first where most users met an error."""
    asked = friction(connection, first=before.first, last=before.last) if before else None
    then = {row["feature"]: row for row in (_listed(asked) if asked else ())}
    found = [
        row | {"title": catalogue.titles[row["feature"]], "before": then.get(row["feature"])}
        for row in _listed(friction(connection, first=week.first, last=week.last))
        if row["errors"] or max(row["retry_users"], row["abandoned_users"]) >= FEWEST_USERS
    ]
    return sorted(found, key=lambda row: (-row["error_users"], -row["errors"], row["title"]))


def routes_of_week(connection: duckdb.DuckDBPyConnection, week: Week) -> Row:
    """Routes that failed in a week, and those that got much slower; the usual is the four weeks before.

    Returns:
        For `failing` and `slow`: `named`, rows of `lookup`; `more`, how many follow them; `unnamed`, how many fewer
        than five known users met: their path may name somebody.
    """
    since = datetime.combine(week.first, time.min, UTC)
    period = Period(since, since + timedelta(weeks=1))
    failing = failing_routes(connection, period, limit=_MANY)
    slow = [
        row
        for row in slow_routes(connection, period, limit=_MANY)
        if row["usual_p95_ms"] is not None and row["p95_ms"] > _MUCH_SLOWER * row["usual_p95_ms"]
    ]
    return {"failing": _named(failing), "slow": _named(slow)}


def _named(found: list[Row]) -> Row:
    named = [row for row in found if row["users"] >= FEWEST_USERS]
    return {"named": named[:_ROUTES], "more": len(named[_ROUTES:]), "unnamed": len(found) - len(named)}


def _listed(relation: duckdb.DuckDBPyRelation) -> list[Row]:
    found: list[Row] = relation.to_arrow_table().to_pylist()
    return found

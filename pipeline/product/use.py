"""How much features are used, and where that goes wrong: over any days, by Business or in all, people counted once."""

from __future__ import annotations

from datetime import date

import duckdb

from pipeline.models import ask_model
from pipeline.product.rows import ALWAYS, checked_unit
from pipeline.settings import Settings
from pipeline.units import UNITS


def usage(
    connection: duckdb.DuckDBPyConnection,
    unit: str | None = None,
    by_business: bool = False,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> duckdb.DuckDBPyRelation:
    """Tell how much each feature was used.

    Args:
        connection: what `connect()` gives.
        unit: day, week or month; None for all days as one.
        by_business: whether each Business has rows of its own.
        business: in this Business only.
        first: the first UTC day; of all where None.
        last: the last one, included.

    Returns:
        As the table `feature_usage`, in order: `date` (the first day of the unit; of all that were asked for without a
        unit), `business_id` (null where not by Business), `feature`, `users` and `visitors` (each once in the unit),
        `uses`, `visits` (one over midnight once for each day), `errors`, `slow`, `spent_s`.

    Raises:
        QuestionError: there is no such unit.
    """
    return _of_feature_days(connection, "feature_usage", unit, by_business, business, first, last)


def friction(
    connection: duckdb.DuckDBPyConnection,
    unit: str | None = None,
    by_business: bool = False,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> duckdb.DuckDBPyRelation:
    """Tell where use of each feature went wrong: how often, and for how many.

    Args are those of `usage`.

    Returns:
        As the table `friction`, in order: `date` and `business_id` as `usage`, `feature`, `users`, `visitors`, `uses`,
        and of `errors`, `slow`, `retries`, `abandoned` and `back_and_forth` how many uses, and how many users and
        visitors met one (`error_users`, `error_visitors` …), each once in the unit.

    Raises:
        QuestionError: there is no such unit.
    """
    return _of_feature_days(connection, "friction", unit, by_business, business, first, last)


def _of_feature_days(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    unit: str | None,
    by_business: bool,
    business: str | None,
    first: date | None,
    last: date | None,
) -> duckdb.DuckDBPyRelation:
    """Ask a model of `feature_days` with the days of a unit as one, Businesses too where they are not told apart."""
    begin = "coalesce($first::date, (select min(date) from main.feature_days))"
    at = begin if unit is None else "cast(date_trunc($unit, date) as date)"
    of = "business_id" if by_business or business is not None else "cast(null as varchar)"
    days = f"""
        select * replace ({at} as date, {of} as business_id)
        from main.feature_days
        where date between coalesce($first::date, date) and coalesce($last::date, date)
            and ($business::varchar is null or business_id = $business)
    """  # noqa: S608 our own names
    parameters = {
        "unit": unit and checked_unit(unit, UNITS),
        "business": business,
        "first": first,
        "last": last,
        "first_day": ALWAYS[0],
        "last_day": ALWAYS[1],
    }
    order = ["date", "feature", "business_id"]
    return ask_model(connection, model, parameters, Settings(), {"feature_days": days}, order_by=order)


def adoption(
    connection: duckdb.DuckDBPyConnection, feature: str | None = None, business: str | None = None
) -> duckdb.DuckDBPyRelation:
    """Tell since when, how often and until when each user has used features.

    Args:
        connection: what `connect()` gives.
        feature: of this feature only.
        business: in this Business only.

    Returns:
        As the table `feature_adoption`: `user_id`, `business_id`, `feature`, `first_at`, `last_at`, `days`, `uses`,
        `errors`, in the order of first uses.
    """
    return connection.sql(
        """
        from feature_adoption
        where ($feature::varchar is null or feature = $feature)
            and ($business::varchar is null or business_id = $business)
        order by first_at, user_id, business_id, feature
        """,
        params={"feature": feature, "business": business},
    )

"""Who comes, stays, stays away and comes back: of anything done or of one feature, in all Businesses or in one.

Each function gives the columns of the table of its name, which holds the answers to the usual questions.
"""

from __future__ import annotations

from datetime import date

import duckdb

from pipeline.models import ask_model
from pipeline.product.rows import between, checked_unit, days_of
from pipeline.settings import Settings
from pipeline.units import units

Relation = duckdb.DuckDBPyRelation


def retention(
    connection: duckdb.DuckDBPyConnection,
    unit: str = "week",
    feature: str | None = None,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Relation:
    """Tell of the users who first did something in a unit of time, how many did it again how much later.

    Args:
        connection: what `connect()` gives.
        unit: day, week or month.
        feature: first and later uses of this feature; of anything done where None.
        business: in this Business; in all together, where each user is one, where None.
        first: the first day of the first cohort that is told; all where None. Who is new never depends on it.
        last: the last one.

    Returns:
        As the table `retention`: `cohort_at`, `later`, `cohort_users`, `recurring_users`, `rolling_users`,
        `is_complete` and what was asked, in order.

    Raises:
        QuestionError: there is no such unit.
    """
    return between(_ask(connection, "retention", unit, feature, business, "cohort_at, later"), "cohort_at", first, last)


def lifecycle(
    connection: duckdb.DuckDBPyConnection,
    unit: str = "week",
    feature: str | None = None,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Relation:
    """Tell how many users were new, came again, came back and stayed away, in each day, week or month.

    Args are those of `retention`; `first` and `last` bound the first day of the units that are told.

    Returns:
        As the table `lifecycle`: `period_at`, `new_users`, `returning_users`, `resurrected_users`, `dormant_users`,
        `is_complete` and what was asked, in order.

    Raises:
        QuestionError: there is no such unit.
    """
    return between(_ask(connection, "lifecycle", unit, feature, business, "period_at"), "period_at", first, last)


def stickiness(
    connection: duckdb.DuckDBPyConnection,
    unit: str = "week",
    feature: str | None = None,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Relation:
    """Tell how many users did something on how many days of a week or month.

    Args are those of `lifecycle`, without days as units.

    Returns:
        As the table `stickiness`: `period_at`, `days`, `users`, `is_complete` and what was asked, in order.

    Raises:
        QuestionError: there is no such unit.
    """
    checked_unit(unit, ("week", "month"))
    return between(_ask(connection, "stickiness", unit, feature, business, "period_at, days"), "period_at", first, last)


def active_users(
    connection: duckdb.DuckDBPyConnection,
    feature: str | None = None,
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Relation:
    """Tell how many users did something on each day, in the seven days up to it, and in the twenty-eight.

    Args are those of `lifecycle`; `first` and `last` are the days that are told.

    Returns:
        As the table `active_users`: `date`, `daily_users`, `weekly_users`, `monthly_users`, `is_complete` and what was
        asked, in order.
    """
    return between(_ask(connection, "active_users", None, feature, business, "date"), "date", first, last)


def _ask(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    unit: str | None,
    feature: str | None,
    business: str | None,
    order_by: str,
) -> Relation:
    days, parameters = days_of(feature, business)
    references = {} if unit is None else {"units": units(checked_unit(unit))}
    return ask_model(connection, model, parameters, Settings(), {"scoped_days": days}, references, [order_by])

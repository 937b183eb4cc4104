"""Which rows a question is asked of: a SELECT that stands for a model's input, and the parameters that it names.

Nothing is computed here, and no text of a question becomes SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from pipeline.units import UNITS

# Bounds of all days, where a model asks for days and rows say themselves which.
ALWAYS = (date(1, 1, 1), date(9999, 12, 31))


class QuestionError(ValueError):
    """A question cannot be answered as it was asked; the message says what it may be."""


def checked_unit(unit: str, known: Sequence[str] = UNITS) -> str:
    """Give a unit of time back, where it is one.

    Raises:
        QuestionError: it is none of those known.
    """
    if unit not in known:
        raise QuestionError(f"unit is {unit!r}; it must be one of {', '.join(known)}")
    return unit


def days_of(feature: str | None, business: str | None) -> tuple[str, dict[str, object]]:
    """Give what stands for `scoped_days`: days of users with a use of a feature, or with anything done.

    Args:
        feature: which; None for anything done.
        business: in which Business; None for all together, where each user is one.
    """
    scope, of = ("all", "cast(null as varchar)") if business is None else ("business", "business_id")
    what, table = ("cast(null as varchar)", "user_days") if feature is None else ("feature", "feature_days")
    conditions = ["not is_bot and opt_out is null" if feature is None else "user_id is not null and feature = $feature"]
    conditions += [] if business is None else ["business_id = $business"]
    select = f"""
        select distinct '{scope}' as scope, {of} as business_id, {what} as feature, user_id, date
        from main.{table}
        where {" and ".join(conditions)}
    """  # noqa: S608 our own names
    return select, {"feature": feature, "business": business}


def between(
    relation: duckdb.DuckDBPyRelation, column: str, first: date | None, last: date | None
) -> duckdb.DuckDBPyRelation:
    """Keep rows whose day in a column lies between two, both included; None is no bound."""
    if first is not None:
        relation = relation.filter(duckdb.ColumnExpression(column) >= duckdb.ConstantExpression(first))
    if last is not None:
        relation = relation.filter(duckdb.ColumnExpression(column) <= duckdb.ConstantExpression(last))
    return relation

"""Which kinds of users use what: by size of their Business, device, country, and whether they are new."""

from __future__ import annotations

from datetime import date

import duckdb

from pipeline.models import ask_model, bare_select
from pipeline.product.rows import QuestionError, between, checked_unit
from pipeline.settings import Settings
from pipeline.units import SEGMENT_KINDS, segment_kinds, units

_ALL_AS_ONE = """
    select distinct
        'range' as unit,
        date,
        coalesce($first::date, (select min(date) from main.user_days)) as period_at,
        coalesce($last::date < (select max(date) from main.user_days), false) as is_complete,
        0 as period
    from main.user_days
    where date between coalesce($first::date, date) and coalesce($last::date, date)
"""


def segments(
    connection: duckdb.DuckDBPyConnection,
    kind: str | None = None,
    unit: str | None = "week",
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
    feature: str | None = None,
) -> duckdb.DuckDBPyRelation:
    """Tell how many users of which kind did anything, and used each feature.

    Args:
        connection: what `connect()` gives.
        kind: business_size, device_type, country or new_or_old; all where None.
        unit: week or month; None for all days from `first` to `last` as one, told as `range`.
        business: in this Business only; who is new is new there.
        first: the first day of the units that are told, or of the range; all where None.
        last: the last one, included.
        feature: uses of this feature only; of each, and anything done (null), where None.

    Returns:
        As the table `segments`, in order: `unit`, `period_at`, `kind`, `segment` (null where unknown), `feature`,
        `users` (each once in a segment of the unit), `uses`, `visits`, `errors`, `is_complete`.

    Raises:
        QuestionError: there is no such kind or unit.
    """
    if kind is not None and kind not in SEGMENT_KINDS:
        raise QuestionError(f"kind is {kind!r}; it must be one of {', '.join(SEGMENT_KINDS)}")
    given = {} if unit is not None else {"unit_days": _ALL_AS_ONE}
    if business is not None:
        given["active_days"] = f"from ({bare_select('active_days')}) where business_id = $business"
    references = {"segment_kinds": segment_kinds(*([kind] if kind is not None else []))}
    if unit is not None:
        references["units"] = units(checked_unit(unit, ("week", "month")))
    parameters = {"business": business, "first": first, "last": last}
    found = ask_model(connection, "segments", parameters, Settings(), given, references)
    if feature is not None:
        found = found.filter(duckdb.ColumnExpression("feature") == duckdb.ConstantExpression(feature))
    told = between(found, "period_at", first, last) if unit is not None else found
    return told.order("kind, period_at, feature nulls first, segment")

"""Names and emails that the directory had before: it says only what is so today, and people are asked for by old ones.

How they are searched is in `sql/search_terms.sql`.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa

from pipeline.schemas import TABLES

_CHANGED = """
with gone as (
    select before.user_id, 'name' as field, before.name as value
    from before inner join after on after.user_id = before.user_id
    where before.name is not null and after.name is distinct from before.name
    union all
    select before.user_id, 'email', before.email
    from before inner join after on after.user_id = before.user_id
    where before.email is not null and after.email is distinct from before.email
)
select user_id, field, value, max(until) as until
from (select *, $today::date as until from gone union all from known)
group by user_id, field, value
order by user_id, field, value
"""


def former_names(known: pa.Table, before: pa.Table, after: pa.Table, today: date) -> pa.Table:
    """Add what a new reading of the directory no longer says of somebody.

    Args:
        known: `former_names` as it is.
        before: `users` as they were.
        after: `users` as they are now read; whoever is missing from it was not renamed, and is left out.
        today: the UTC day of the reading.

    Returns:
        Rows of `former_names`, sorted by key.
    """
    schema = TABLES["former_names"].file_schema
    with duckdb.connect() as connection:
        for name, table in (("known", known), ("before", before), ("after", after)):
            connection.register(name, table)
        found = connection.sql(_CHANGED, params={"today": today}).to_arrow_table()
    return found.cast(schema)

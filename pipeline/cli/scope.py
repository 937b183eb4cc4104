"""Which Business a command keeps to: by its id or name, as an option."""

from __future__ import annotations

import click
import duckdb

from pipeline.lookup import open_scope
from pipeline.lookup.rows import rows
from pipeline.plain import plain
from pipeline.settings import Settings
from pipeline.warehouse import connect

business_option = click.option("--business", help="id or name of the Business to keep to")


def asked_scope(settings: Settings, business: str | None) -> duckdb.DuckDBPyConnection:
    """Open what is to be seen: all, or one Business by id or name.

    Raises:
        click.ClickException: there is no such Business.
    """
    return open_scope(settings, None if business is None else asked_businesses(settings, business))


def asked_businesses(settings: Settings, business: str) -> list[str]:
    """Give the ids of the Businesses that an id or name means; several may have one name.

    Raises:
        click.ClickException: there is none.
    """
    with connect(settings) as connection:
        known = rows(
            connection,
            "select distinct business_id from (select business_id, name from businesses"
            " union all select business_id, null from user_businesses)"
            " where business_id = $business or lower(name) = lower($business)",
            {"business": business},
        )
    if not known:
        raise click.ClickException(f"there is no Business {plain(business)!r}")
    return [row["business_id"] for row in known]

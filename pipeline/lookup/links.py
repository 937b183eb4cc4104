"""Links between identifiers and users, for those who look after them: which identifiers several people share."""

from __future__ import annotations

import duckdb

from pipeline.lookup.rows import Row, rows


def shared_identifiers(connection: duckdb.DuckDBPyConnection, limit: int = 100) -> list[Row]:
    """List identifiers that were seen with more users than the setting `shared_users`, so that they link nothing.

    Args:
        connection: with the tables as views.
        limit: the most to list.

    Returns:
        Rows of kind, identifier, `users`, days on which it was seen (with a user, of an address), acts, first and last
        seen; those of most users first.
    """
    return rows(
        connection,
        """
        with seen as (
            select identifier_kind, identifier, count(distinct date) as days, cast(sum(acts) as bigint) as acts
            from identifier_days
            where (identifier_kind, identifier) in
                (select (identifier_kind, identifier) from identifier_links where method = 'shared')
            group by identifier_kind, identifier
        )
        select links.identifier_kind, links.identifier, links.users, seen.days, seen.acts,
            links.valid_from as first_seen_at, links.valid_to as last_seen_at
        from identifier_links as links
        inner join seen on seen.identifier_kind = links.identifier_kind and seen.identifier = links.identifier
        where links.method = 'shared'
        order by links.users desc, links.identifier_kind, links.identifier
        limit $limit
        """,
        {"limit": limit},
    )

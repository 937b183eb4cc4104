"""Tables that make looking a user up quick."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, INSTANT, TEXT, declare

USER_DAYS = declare(
    "user_days",
    "lookup",
    "user x Business x day",
    ("date", "user_id", "business_id"),
    [
        ("user_id", TEXT, "who"),
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("requests", COUNT, "acts that day"),
        ("visits", COUNT, "visits that start that day"),
        ("errors", COUNT, "acts answered with a status of 400 or more"),
        ("first_at", INSTANT, "first act that day"),
        ("last_at", INSTANT, "last act that day"),
        ("last_error_at", INSTANT, "last act with a status of 400 or more; null where none"),
        ("devices", pa.list_(TEXT), "browser on system, distinct, sorted"),
        ("identifiers", pa.list_(TEXT), "visitor_ids, distinct, sorted"),
    ],
    by_day=True,
)

USER_LOOKUP = declare(
    "user_lookup",
    "lookup",
    "a user, known from the directory or seen on lines",
    ("user_id",),
    [
        ("user_id", TEXT, "who"),
        ("name", TEXT, "full name; null where the directory does not know the user"),
        ("email", TEXT, "email address; null where unknown"),
        ("search_text", TEXT, "name, email and id without case and accents: what a search looks in"),
        ("business_ids", pa.list_(TEXT), "Businesses of memberships and of lines, sorted"),
        ("business_names", pa.list_(TEXT), "their names in the same order; the id where the name is unknown"),
        ("identifiers", pa.list_(TEXT), "visitor_ids and login names seen, sorted"),
        ("devices", pa.list_(TEXT), "browser on system, distinct, sorted"),
        ("first_seen_at", INSTANT, "first act; null where never seen"),
        ("last_seen_at", INSTANT, "last act; null where never seen"),
        ("visits", COUNT, "visits in all; 0 where never seen"),
        ("last_error_at", INSTANT, "last act with a status of 400 or more; null where none"),
    ],
)

"""Tables that make looking a user up quick."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, FLAG, INSTANT, TEXT, WORD, declare

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
        ("device_type", TEXT, "of the day's first act that tells it; null where unknown"),
        ("country", TEXT, "of the day's first act that tells it; null where unknown"),
        ("is_bot", FLAG, "all acts that day are a bot's"),
        ("opt_out", TEXT, "of all acts that day, where the setting `opt_out` says that it matters; else null"),
    ],
    by_day=True,
)

USER_BUSINESSES = declare(
    "user_businesses",
    "lookup",
    "user x Business: a member, or seen there",
    ("user_id", "business_id"),
    [
        ("user_id", TEXT, "who"),
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("role", TEXT, "what the user is there; null where unknown"),
        ("is_member", FLAG, "whether the directory says so; else the user was only seen there"),
        ("identifiers", pa.list_(TEXT), "visitor_ids and login names seen there, sorted"),
        ("devices", pa.list_(TEXT), "browser on system, distinct, sorted"),
        ("first_seen_at", INSTANT, "first act there; null where never seen"),
        ("last_seen_at", INSTANT, "last act there; null where never seen"),
        ("visits", COUNT, "visits there; 0 where never seen"),
        ("last_error_at", INSTANT, "last act there with a status of 400 or more; null where none"),
    ],
)

SEARCH_TERMS = declare(
    "search_terms",
    "lookup",
    "a word that a user is found by x user x Business",
    ("term", "kind", "field", "user_id", "business_id"),
    [
        ("term", TEXT, "the word: lower case, without accents"),
        ("kind", WORD, "name, joined (a name's words as one), initials, email, local (part of an email), id"),
        ("field", WORD, "what it is of: name, email, former name, former email, user id or identifier"),
        (
            "letters",
            COUNT,
            "which characters are in the term, of an email before its @, a bit each (code modulo 61)",
        ),
        ("user_id", TEXT, "who"),
        ("business_id", TEXT, "in which Business; null where unknown"),
    ],
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
        ("search_text", TEXT, "name, email and id without case and accents: for a look at all of them"),
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

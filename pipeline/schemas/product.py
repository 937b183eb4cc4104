"""Tables of what matters to whom: features, by user and by Business."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, INSTANT, TEXT, WORD, declare

FEATURE_DAYS = declare(
    "feature_days",
    "product",
    "user (or visitor of whom nobody is known) x Business x feature x day",
    ("date", "feature", "business_id", "user_id", "visitor_id"),
    [
        ("feature", WORD, "the feature, as the catalogue names it"),
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("user_id", TEXT, "who; null where nobody is known"),
        ("visitor_id", TEXT, "browser or app; null where the user is known"),
        ("uses", COUNT, "acts that the feature claims, those that failed too; no bots"),
        ("visits", COUNT, "visits in which it was used"),
        ("errors", COUNT, "uses answered with a status of 400 or more"),
        ("slow", COUNT, "uses that took longer than the setting `slow_ms`"),
        ("spent_s", pa.float64(), "until the visit's next act, or as the last page reported; null where unknown"),
        ("first_at", INSTANT, "first use that day"),
        ("last_at", INSTANT, "last use that day"),
    ],
    by_day=True,
)

FEATURE_USAGE = declare(
    "feature_usage",
    "product",
    "feature x Business x day",
    ("date", "business_id", "feature"),
    [
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("feature", WORD, "the feature, as the catalogue names it"),
        ("users", COUNT, "users who used it; of a range of days count them from feature_days"),
        ("visitors", COUNT, "browsers of nobody known that used it"),
        ("uses", COUNT, "acts that the feature claims, those that failed too; no bots"),
        ("visits", COUNT, "visits in which it was used that day"),
        ("errors", COUNT, "uses answered with a status of 400 or more"),
        ("slow", COUNT, "uses that took longer than the setting `slow_ms`"),
        ("spent_s", pa.float64(), "seconds until the next act, as far as known; null where unknown of all"),
    ],
    by_day=True,
)

FEATURE_ADOPTION = declare(
    "feature_adoption",
    "product",
    "user x Business x feature",
    ("user_id", "business_id", "feature"),
    [
        ("user_id", TEXT, "who"),
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("feature", WORD, "the feature, as the catalogue names it"),
        ("first_at", INSTANT, "first use"),
        ("last_at", INSTANT, "last use"),
        ("days", COUNT, "days with a use"),
        ("uses", COUNT, "acts that the feature claims"),
        ("errors", COUNT, "uses answered with a status of 400 or more"),
    ],
)

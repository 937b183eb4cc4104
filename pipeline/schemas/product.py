"""Tables of what matters to whom: features, by user, by Business and by segment."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, DAY, FLAG, INSTANT, TEXT, WORD, Column, declare

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
        ("retries", COUNT, "uses that repeat one in trouble (failed or slow) at most 10 s after it, in the same visit"),
        ("abandoned", COUNT, "uses in trouble after which the visit did nothing more"),
        ("back_and_forth", COUNT, "pages come to from another and left for the same one again within 30 s"),
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


def _trouble(name: str, one: str, words: str) -> list[Column]:
    return [
        (name, COUNT, words),
        (f"{one}_users", COUNT, "users who met one"),
        (f"{one}_visitors", COUNT, "browsers of nobody known that met one"),
    ]


FRICTION = declare(
    "friction",
    "product",
    "feature x Business x day: what went wrong",
    ("date", "business_id", "feature"),
    [
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("feature", WORD, "the feature, as the catalogue names it"),
        ("users", COUNT, "users who used it; of a range of days count them from feature_days"),
        ("visitors", COUNT, "browsers of nobody known that used it"),
        ("uses", COUNT, "acts that the feature claims, those that failed too; no bots"),
        *_trouble("errors", "error", "uses answered with a status of 400 or more"),
        *_trouble("slow", "slow", "uses that took longer than the setting `slow_ms`"),
        *_trouble("retries", "retry", "uses that repeat one in trouble, as in feature_days"),
        *_trouble("abandoned", "abandoned", "uses in trouble after which the visit did nothing more"),
        *_trouble("back_and_forth", "back_and_forth", "pages left at once for where they were come to from"),
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

SEGMENTS = declare(
    "segments",
    "product",
    "week or month x kind of segment x segment x feature",
    ("unit", "period_at", "kind", "segment", "feature"),
    [
        ("unit", WORD, "week (from Monday) or month, in UTC"),
        ("period_at", DAY, "its first day"),
        ("kind", WORD, "business_size, device_type, country or new_or_old"),
        (
            "segment",
            WORD,
            "the Business's users active in the unit (1, 2-9, 10-49, 50-249, 250+), device or country of a day's first "
            "act, new (first act ever in the unit) or old; null where unknown. A user with two counts in both",
        ),
        ("feature", WORD, "the feature, as the catalogue names it; null for anything done"),
        ("users", COUNT, "users who did it, each once in a segment"),
        ("uses", COUNT, "acts that the feature claims; null for anything done"),
        ("visits", COUNT, "visits in which it was used, one over midnight once for each day; null for anything done"),
        ("errors", COUNT, "uses answered with a status of 400 or more; null for anything done"),
        ("is_complete", FLAG, "whether the log has a later day; else more may come"),
    ],
)

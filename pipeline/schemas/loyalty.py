"""Tables of who comes, stays, stays away and comes back, by day, week and month."""

from __future__ import annotations

from pipeline.table import COUNT, DAY, FLAG, TEXT, WORD, Column, declare

_OF_WHAT: list[Column] = [
    ("scope", WORD, "all: of all Businesses together, where each user is one; business: of each Business"),
    ("business_id", TEXT, "which Business, where scope is business; null where it is unknown there, and where all"),
    ("feature", TEXT, "of this feature's use; null for anything done. Features are told where scope is all"),
]
_UNIT: Column = ("unit", WORD, "day, week (from Monday) or month, in UTC")
_IS_COMPLETE: Column = ("is_complete", FLAG, "whether the log has a later day; else more may come")

LIFECYCLE = declare(
    "lifecycle",
    "product",
    "unit of time x scope x feature",
    ("unit", "period_at", "scope", "business_id", "feature"),
    [
        _UNIT,
        ("period_at", DAY, "its first day"),
        *_OF_WHAT,
        ("new_users", COUNT, "who did it for the first time in the whole log; in its first unit that is everybody"),
        ("returning_users", COUNT, "who did it before, and in the unit before this one"),
        ("resurrected_users", COUNT, "who did it before, but not in the unit before this one"),
        ("dormant_users", COUNT, "who did it in the unit before this one, and not in this one"),
        _IS_COMPLETE,
    ],
)

STICKINESS = declare(
    "stickiness",
    "product",
    "week or month x scope x feature x number of days",
    ("unit", "period_at", "scope", "business_id", "feature", "days"),
    [
        ("unit", WORD, "week (from Monday) or month, in UTC"),
        ("period_at", DAY, "its first day"),
        *_OF_WHAT,
        ("days", COUNT, "on how many days of it"),
        ("users", COUNT, "users who did it on so many days, no more and no fewer"),
        _IS_COMPLETE,
    ],
)

RETENTION = declare(
    "retention",
    "product",
    "unit of time x cohort x units later x scope x feature",
    ("unit", "cohort_at", "later", "scope", "business_id", "feature"),
    [
        ("unit", WORD, "day, week (from Monday) or month, in UTC; by Business week and month only"),
        ("cohort_at", DAY, "first day of the unit in which the cohort did it for the first time in the whole log"),
        ("later", COUNT, "how many units later; 0 is the cohort's own. At most 30 days, 26 weeks, 24 months"),
        *_OF_WHAT,
        ("cohort_users", COUNT, "users of the cohort"),
        ("recurring_users", COUNT, "of them, who did it in the unit so much later"),
        ("rolling_users", COUNT, "of them, who did it in that unit or any later one, as far as the log goes"),
        _IS_COMPLETE,
    ],
)

ACTIVE_USERS = declare(
    "active_users",
    "product",
    "day x scope x feature",
    ("date", "scope", "business_id", "feature"),
    [
        ("date", DAY, "a UTC day of the log, from the first on which it was done"),
        *_OF_WHAT,
        ("daily_users", COUNT, "who did it that day"),
        ("weekly_users", COUNT, "who did it in the seven days up to it; null where the log begins later"),
        ("monthly_users", COUNT, "who did it in the twenty-eight days up to it; null where the log begins later"),
        _IS_COMPLETE,
    ],
)

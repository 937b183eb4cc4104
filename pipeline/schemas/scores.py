"""Tables of what ranks features: what is counted, who stayed, and the scores with their intervals."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, TEXT, WORD, declare

FEATURE_MEASURES = declare(
    "feature_measures",
    "product",
    "feature x measure x scope x Business: people counted in the weeks by which features are scored",
    ("feature", "measure", "days", "scope", "business_id"),
    [
        ("feature", WORD, "the feature, as the catalogue names it"),
        (
            "measure",
            WORD,
            "reach (used it), habit (on as many days as there are weeks, two at least), friction (met an error, tried "
            "again or gave up), kept (used it before and now), businesses, days; reach_before and the like: earlier",
        ),
        ("days", COUNT, "for the measure days: on how many days of the weeks; else null"),
        ("scope", WORD, "all: of all Businesses together; business: of each; without: of all others together"),
        ("business_id", TEXT, "which Business, where scope is not all; null where it is unknown there, and where all"),
        ("people", COUNT, "how many people (for businesses: Businesses)"),
        ("of_people", COUNT, "of how many: those there; of friction and days those who used it, of kept before"),
        ("weeks", COUNT, "how many weeks"),
    ],
)

FEATURE_STAYING = declare(
    "feature_staying",
    "product",
    "feature that was used in the weeks before, and not by all",
    ("feature",),
    [
        ("feature", WORD, "the feature, as the catalogue names it"),
        ("users", COUNT, "who used it in the weeks before and has others alike: same Business, as many days there"),
        ("users_stayed", COUNT, "of them, who were there in the weeks now"),
        ("others", COUNT, "others alike, who did not use it"),
        ("others_stayed", COUNT, "of them, who were there in the weeks now"),
        ("difference", pa.float64(), "share of users that stayed less that of others alike, by Mantel and Haenszel"),
        ("low", pa.float64(), "lower end of its interval at 95 %"),
        ("high", pa.float64(), "upper end"),
    ],
)

FEATURE_SCORES = declare(
    "feature_scores",
    "product",
    "feature x measure, over the last four weeks or as many as the log allows",
    ("feature", "measure"),
    [
        ("feature", WORD, "the feature, as the catalogue names it"),
        (
            "measure",
            WORD,
            "score (share of people with a habit), score_by_business (its mean over Businesses), reach, businesses, "
            "frequency (days a week of who uses it), kept, trend (change of reach), friction, staying, rice",
        ),
        ("value", pa.float64(), "the number; null where unknown or not told"),
        ("low", pa.float64(), "lower end of its interval at 95 %; null for rice"),
        ("high", pa.float64(), "upper end"),
        ("people", COUNT, "how many people (businesses: Businesses; trend: how many more than before)"),
        ("of_people", COUNT, "n: of how many"),
        ("method", WORD, "how the interval is made: wilson, bootstrap, newcombe or mantel-haenszel"),
        ("note", TEXT, "why a number is unknown or not told, or what is to be said of it"),
        ("rank", COUNT, "of score and score_by_business: 1 + how many are surely better, whose intervals lie above"),
        ("rank_at_best", COUNT, "of score: the lowest rank if any one Business were not there"),
        ("rank_at_worst", COUNT, "of score: the highest"),
        ("moved_by", TEXT, "of score: the Business without which its rank is another; null where none"),
    ],
)

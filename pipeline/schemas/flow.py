"""Tables of how people move through the service: funnels, and the acts that are steps of them."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, INSTANT, TEXT, WORD, declare

FUNNEL_ACTS = declare(
    "funnel_acts",
    "product",
    "act x step of a funnel that it is",
    ("request_id", "funnel", "step"),
    [
        ("funnel", WORD, "the funnel, as the catalogue names it"),
        ("step", COUNT, "which of its steps the act is, from 1; an act that is several has a row for each"),
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("user_id", TEXT, "who; null where nobody is known"),
        ("visitor_id", TEXT, "browser or app; null where the user is known"),
        ("visit_id", TEXT, "the visit"),
        ("visit_seq", pa.int32(), "1 for the visit's first act"),
        ("occurred_at", INSTANT, "when"),
        ("request_id", TEXT, "as in clickstream"),
        ("status", pa.int16(), "response status"),
        ("next_at", INSTANT, "when the visit went on by more than its page does by itself; null where it ended"),
        ("next_route", TEXT, "the route of what came next; null where the visit ended"),
        ("next_event", TEXT, "its event, with its label after a colon; null where it was none, or the visit ended"),
    ],
    by_day=True,
)

FUNNELS = declare(
    "funnels",
    "product",
    "funnel x scope x step",
    ("funnel", "scope", "business_id", "step"),
    [
        ("funnel", WORD, "the funnel, as the catalogue names it"),
        ("scope", WORD, "all: of all Businesses together, where each person is one; business: acts in each Business"),
        ("business_id", TEXT, "which Business, where scope is business; null where it is unknown there, and where all"),
        ("step", COUNT, "which step, from 1"),
        ("steps", COUNT, "how many the funnel has"),
        ("feature", WORD, "the step's feature, as the catalogue names it"),
        ("per", WORD, "person or visit: what is counted"),
        ("within_s", COUNT, "the most seconds from the first step to the last; null where the visit is the bound"),
        ("entered", COUNT, "people (users, and browsers of nobody known) or visits that reached the step"),
        ("from_first", pa.float64(), "share of those that reached the first step; null where nobody did"),
        ("from_previous", pa.float64(), "share of those that reached the step before; null where nobody did"),
        ("from_first_median_s", pa.float64(), "median time since the first step; null on it, and where nobody came"),
        ("from_first_p90_s", pa.float64(), "90th percentile of it"),
        ("from_previous_median_s", pa.float64(), "median time since the step before; null as above"),
        ("from_previous_p90_s", pa.float64(), "90th percentile of it"),
        ("dropped", COUNT, "who reached this step and not the next; null on the last step"),
        ("dropped_on_error", COUNT, "of them, whose last act here was answered with a status of 400 or more"),
        (
            "instead",
            pa.list_(pa.struct([("route", TEXT), ("times", COUNT)])),
            "what they did right after, at most five, most frequent first: a route, `event` and its name, or `ended`",
        ),
    ],
)

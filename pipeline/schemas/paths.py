"""How people move from page to page."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, TEXT, declare

PAGE_STEPS = declare(
    "page_steps",
    "product",
    "page of a visit, with the one after it (one more leads to the first), by the day on which the visit starts",
    ("visit_id", "step"),
    [
        ("visit_id", TEXT, "in which visit; those with a bot's act are left out"),
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("user_id", TEXT, "whose; null where nobody is known"),
        ("visitor_id", TEXT, "which browser's, where nobody is known; else null"),
        ("step", COUNT, "the place of the page come from among the visit's pages, from 1; 0 where the visit begins"),
        ("from_route", TEXT, "route of the page come from; null where the visit begins"),
        ("to_route", TEXT, "route of the next page, another one; null where the visit ends"),
        (
            "seconds",
            pa.float64(),
            "from coming to one to coming to the next; at the end as its pages reported; null where unknown",
        ),
    ],
    by_day=True,
)
PATHS = declare(
    "paths",
    "product",
    "route come from x route gone to x Business x day on which the visit starts",
    ("date", "business_id", "from_route", "to_route"),
    [
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("from_route", TEXT, "route of the page come from; null where the visit begins"),
        ("to_route", TEXT, "route of the next page, another one; null where the visit ends"),
        ("times", COUNT, "how often, in visits without bots"),
        ("visits", COUNT, "in how many visits; each is of one day, so days can be summed"),
        ("users", COUNT, "of how many users; of a range of days ask `pipeline.product.paths`"),
        ("visitors", COUNT, "of how many browsers of nobody known"),
        (
            "seconds",
            pa.float64(),
            "median, from coming to one to coming to the next; at the end as its page reported; null where unknown",
        ),
    ],
    by_day=True,
)

"""What each table is, column by column: the one place that declares schemas, grains, keys and layers.

Here belong names, types and the words that describe them. How a table comes about does not: that is a model in `sql/`
or a room of `pipeline/`.
"""

from __future__ import annotations

from pipeline.schemas.flow import FUNNEL_ACTS, FUNNELS
from pipeline.schemas.lookup import (
    SEARCH_TERMS,
    USER_BUSINESSES,
    USER_DAYS,
    USER_LOOKUP,
)
from pipeline.schemas.loyalty import (
    ACTIVE_USERS,
    LIFECYCLE,
    RETENTION,
    STICKINESS,
)
from pipeline.schemas.paths import PAGE_STEPS, PATHS
from pipeline.schemas.people import (
    ACTS,
    BUSINESSES,
    ERASED_OWNERS,
    FORMER_NAMES,
    IDENTIFIER_DAYS,
    IDENTIFIER_LINKS,
    LINK_CORRECTIONS,
    MEMBERSHIPS,
    SAME_VISIT_DAYS,
    SETTLED_ACTS,
    USER_CORRECTIONS,
    USER_LINKS,
    USERS,
)
from pipeline.schemas.product import (
    FEATURE_ADOPTION,
    FEATURE_DAYS,
    FEATURE_USAGE,
    FRICTION,
    SEGMENTS,
)
from pipeline.schemas.raw import (
    BLANK_LINES,
    DUPLICATE_LINES,
    INGESTED_FILES,
    LANDING_FILES,
    RAW_REQUESTS,
    REJECTED_LINES,
)
from pipeline.schemas.scores import (
    FEATURE_MEASURES,
    FEATURE_SCORES,
    FEATURE_STAYING,
)
from pipeline.schemas.use import (
    CLICKSTREAM,
    REQUESTS,
    VISITS,
)
from pipeline.table import Table

__all__ = ["TABLES"]

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        RAW_REQUESTS,
        REJECTED_LINES,
        DUPLICATE_LINES,
        BLANK_LINES,
        INGESTED_FILES,
        LANDING_FILES,
        REQUESTS,
        USERS,
        MEMBERSHIPS,
        BUSINESSES,
        FORMER_NAMES,
        USER_CORRECTIONS,
        IDENTIFIER_DAYS,
        LINK_CORRECTIONS,
        ERASED_OWNERS,
        SETTLED_ACTS,
        IDENTIFIER_LINKS,
        ACTS,
        SAME_VISIT_DAYS,
        USER_LINKS,
        CLICKSTREAM,
        VISITS,
        USER_DAYS,
        USER_BUSINESSES,
        USER_LOOKUP,
        SEARCH_TERMS,
        FEATURE_DAYS,
        FEATURE_USAGE,
        FEATURE_ADOPTION,
        FRICTION,
        PAGE_STEPS,
        PATHS,
        SEGMENTS,
        ACTIVE_USERS,
        LIFECYCLE,
        STICKINESS,
        RETENTION,
        FUNNEL_ACTS,
        FUNNELS,
        FEATURE_MEASURES,
        FEATURE_STAYING,
        FEATURE_SCORES,
    )
}

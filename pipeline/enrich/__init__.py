"""A distinct value to its meaning: user agent, address, referrer, target, bot; then spread back to rows.

Nothing here looks at a second row: what a row means does not depend on its neighbours, its file or its day.
"""

from pipeline.enrich.addresses import GeoDatabase, open_geo
from pipeline.enrich.distinct import Rows
from pipeline.enrich.requests import RAW_COLUMNS, Enricher
from pipeline.enrich.user_agents import UserAgentCache
from pipeline.enrich.version import enrichment_version

__all__ = ["RAW_COLUMNS", "Enricher", "GeoDatabase", "Rows", "UserAgentCache", "enrichment_version", "open_geo"]

"""A distinct value to its meaning: user agent, address, referrer, target, bot; then spread back to rows.

Nothing here looks at a second row: what a row means does not depend on its neighbours, its file or its day.
"""

from pipeline.enrich.addresses import GeoDatabase, open_geo
from pipeline.enrich.requests import Enricher, enrichment_version
from pipeline.enrich.user_agents import UserAgentCache

__all__ = ["Enricher", "GeoDatabase", "UserAgentCache", "enrichment_version", "open_geo"]

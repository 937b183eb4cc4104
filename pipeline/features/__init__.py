"""The team's features: what each is, which acts are its use, how much it is used, what none claims, and funnels.

How an act came about does not belong here, nor what is shown of a feature.
"""

from __future__ import annotations

from pipeline.features.catalogue import (
    NO_FEATURES,
    TOLD_BY,
    Catalogue,
    CatalogueError,
    Feature,
    catalogue_of,
    feature_rules,
    funnel_steps,
    read_catalogue,
)
from pipeline.features.funnels import Funnel
from pipeline.features.patterns import Pattern

__all__ = [
    "NO_FEATURES",
    "TOLD_BY",
    "Catalogue",
    "CatalogueError",
    "Feature",
    "Funnel",
    "Pattern",
    "catalogue_of",
    "feature_rules",
    "funnel_steps",
    "read_catalogue",
]

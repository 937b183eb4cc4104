"""The team's features: what each is, which acts are its use, how much it is used, and what no feature claims.

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
    read_catalogue,
)
from pipeline.features.patterns import Pattern

__all__ = [
    "NO_FEATURES",
    "TOLD_BY",
    "Catalogue",
    "CatalogueError",
    "Feature",
    "Pattern",
    "catalogue_of",
    "feature_rules",
    "read_catalogue",
]

"""The product team's questions, asked of the published tables by the models that made them: one definition, any rows.

Here belong functions for Python and notebooks, and what ranks features. What a feature is belongs to `features`, what a
table says to its model in `sql/`.
"""

from pipeline.product.candidates import candidates, matrix, scores
from pipeline.product.funnels import funnel
from pipeline.product.paths import paths
from pipeline.product.people import active_users, lifecycle, retention, stickiness
from pipeline.product.segments import segments
from pipeline.product.use import adoption, friction, usage

__all__ = [
    "active_users",
    "adoption",
    "candidates",
    "friction",
    "funnel",
    "lifecycle",
    "matrix",
    "paths",
    "retention",
    "scores",
    "segments",
    "stickiness",
    "usage",
]

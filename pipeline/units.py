"""In what use is counted: UTC days, weeks from Monday, months; of all together or each Business; by kinds of users.

Which rows are counted does not belong here; that is each model's.
"""

from __future__ import annotations

import pyarrow as pa

# How many units after its first act a cohort is followed, and whether each Business has rows of its own: a cohort a day
# of each of thousands of Businesses would be more rows than acts.
_LATER = {"day": (30, False), "week": (26, True), "month": (24, True)}
UNITS = tuple(_LATER)
SCOPES = ("all", "business")
SEGMENT_KINDS = ("business_size", "device_type", "country", "new_or_old")


def units(*names: str) -> pa.Table:
    """Give units as a relation that models join.

    Args:
        names: some of `UNITS`, for a question that somebody asks; without any, all as tables hold them.

    Returns:
        `unit`; `most_later`: for how many units a cohort is followed; `has_cohorts_of_each`: whether cohorts of each
        Business are told.
    """
    rows = [
        {"unit": name, "most_later": later, "has_cohorts_of_each": of_each or bool(names)}
        for name, (later, of_each) in _LATER.items()
        if name in (names or UNITS)
    ]
    return pa.Table.from_pylist(rows)


def scopes(*names: str) -> pa.Table:
    """Give scopes as a relation that models join.

    Args:
        names: some of `SCOPES`, for a question that somebody asks; without any, all as tables hold them.

    Returns:
        `scope`: whether what is counted is done anywhere, or in a Business.
    """
    return pa.table({"scope": list(names or SCOPES)})


def segment_kinds(*names: str) -> pa.Table:
    """Give kinds of segments as a relation that models join.

    Args:
        names: some of `SEGMENT_KINDS`, for a question that somebody asks; without any, all as tables hold them.

    Returns:
        `kind`: by what users are told apart.
    """
    return pa.table({"kind": list(names or SEGMENT_KINDS)})

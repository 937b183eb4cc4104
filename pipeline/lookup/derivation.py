"""How each value of a request came about: of which fields of its line, what derived it, and which version of that.

The rules themselves are in `enrich/` and `sql/`; here they are named for whoever asks.
"""

from __future__ import annotations

from datetime import timedelta

import duckdb

from pipeline.lookup.rows import Row, rows

_RULES, _SETTINGS, _PARSER, _PLACES = range(4)  # parts of `enrichment_version`, in its order
_ADDRESS = "ip, forwarded_for"
_CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

# Column of `requests`: the fields of the line, as `raw_requests` has them, and what derived it; () is as written.
DERIVED: dict[str, tuple[str, tuple[int, ...]]] = {
    "source": ("the file's folder", ()),
    "occurred_at": ("time, zone", (_RULES,)),
    "ip": (_ADDRESS, (_RULES, _SETTINGS)),
    "method": ("method", ()),
    "host": ("host", (_RULES,)),
    "path": ("target", (_RULES,)),
    "query": ("target", (_RULES,)),
    "protocol": ("protocol", ()),
    "status": ("status", ()),
    "bytes_sent": ("bytes_sent", ()),
    "duration_ms": ("duration_ms", ()),
    "referrer": ("referrer", ()),
    "user_agent": ("user_agent", ()),
    "identifier": ("remote_user", ()),
    "user_id": ("user_id", ()),
    "business_id": ("business_id", ()),
    "visitor_id": (f"visitor_cookie; without one {_ADDRESS}, user_agent", (_RULES, _SETTINGS)),
    "kind": ("method, target", (_RULES, _SETTINGS)),
    "route": ("target", (_RULES, _SETTINGS)),
    "browser": ("user_agent", (_RULES, _PARSER)),
    "browser_version": ("user_agent", (_RULES, _PARSER)),
    "os": ("user_agent, extra", (_RULES, _PARSER)),
    "os_version": ("user_agent, extra", (_RULES, _PARSER)),
    "device": ("user_agent, extra", (_RULES, _PARSER)),
    "device_type": ("user_agent, extra", (_RULES, _PARSER)),
    "is_bot": ("user_agent, user_id", (_RULES, _PARSER)),
    "bot_signals": ("user_agent", (_RULES, _PARSER)),
    "country": (_ADDRESS, (_SETTINGS, _PLACES)),
    "region": (_ADDRESS, (_SETTINGS, _PLACES)),
    "city": (_ADDRESS, (_SETTINGS, _PLACES)),
    "referrer_medium": ("referrer, target", (_RULES, _SETTINGS)),
    "referrer_name": ("referrer, target", (_RULES, _SETTINGS)),
    **dict.fromkeys(_CAMPAIGN, ("target", (_RULES,))),
    "opt_out": ("extra", (_RULES,)),
    "extra": ("what has no column of its own", ()),
}


def derivation(request: Row) -> list[Row]:
    """Tell of each value of a request where it is from.

    Args:
        request: a row of `requests`.

    Returns:
        Rows of `column, value, of` (fields of the line, named as in `raw_requests`) and `by` (what derived it, with its
        version; None of what stands as it was written), of the values that are known.
    """
    versions = str(request["enrichment_version"]).split("; ")
    return [
        {"column": name, "value": request[name], "of": of, "by": "; ".join(versions[part] for part in by) or None}
        for name, (of, by) in DERIVED.items()
        if request[name] is not None
    ]


def visit_rule(connection: duckdb.DuckDBPyConnection, act: Row) -> Row:
    """Tell why an act is in its visit: what it goes on from, or why it began one.

    Args:
        connection: a scope.
        act: a row of `clickstream`.

    Returns:
        `rule`: `goes_on` (within half an hour of the visit's act before), or it began a visit because there was
        `nothing_before` it in scope, for half an hour, of its visitor or user, or because that was by another user
        (`other_user`), in another Business (`other_business`), on another device (`other_device`), or because the day
        before was active throughout (`midnight`); `gap_s` and `request_id` of the act before, None without one.
        The definition is in `sql/visit_acts.sql`.
    """
    asked = {
        "yesterday": act["date"] - timedelta(days=1),
        "date": act["date"],
        "at": act["occurred_at"],
        "visit": act["visit_id"],
        "seq": act["visit_seq"],
    }
    if act["visit_seq"] > 1:
        (before,) = rows(connection, _ACT_BEFORE, asked)
        return {"rule": "goes_on", "gap_s": before["gap_s"], "request_id": before["request_id"]}
    near = {name: asked[name] for name in ("yesterday", "date", "at")}
    found = rows(connection, _NEAR, near | {name: act[name] for name in ("visitor_id", "user_id", "request_id")})
    if not found:
        return {"rule": "nothing_before", "gap_s": None, "request_id": None}
    before = found[0]
    return {"rule": _why_another(act, before), "gap_s": before["gap_s"], "request_id": before["request_id"]}


def _why_another(act: Row, before: Row) -> str:
    if before["user_id"] != act["user_id"]:
        return "other_user"
    if before["business_id"] != act["business_id"]:
        return "other_business"
    return "midnight" if before["visitor_id"] == act["visitor_id"] else "other_device"


_ACT_BEFORE = """
select request_id, epoch($at - occurred_at) as gap_s
from clickstream
where date between $yesterday and $date and visit_id = $visit and visit_seq = $seq - 1
"""
_NEAR = """
select request_id, user_id, business_id, visitor_id, epoch($at - occurred_at) as gap_s
from clickstream
where date between $yesterday and $date and occurred_at between $at - interval 30 minutes and $at
    and (visitor_id = $visitor_id or user_id = $user_id) and request_id <> $request_id
order by visitor_id = $visitor_id desc, occurred_at desc, request_id
limit 1
"""

"""Tables of who is who: the directory, identifiers, links, and whose each act is."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, DAY, INSTANT, TEXT, WORD, declare

USERS = declare(
    "users",
    "people",
    "a user of the service",
    ("user_id",),
    [
        ("user_id", TEXT, "the service's own id"),
        ("name", TEXT, "full name"),
        ("email", TEXT, "email address"),
        ("date_of_birth", DAY, "birth date; null where unknown"),
        ("created_at", INSTANT, "when the account was made; null where unknown"),
    ],
)

MEMBERSHIPS = declare(
    "memberships",
    "people",
    "user x Business",
    ("user_id", "business_id"),
    [
        ("user_id", TEXT, "the user"),
        ("business_id", TEXT, "the Business"),
        ("role", TEXT, "what the user is there; null where unknown"),
    ],
)

BUSINESSES = declare(
    "businesses",
    "people",
    "a Business",
    ("business_id",),
    [
        ("business_id", TEXT, "the service's own id"),
        ("name", TEXT, "the Business's name"),
    ],
)

FORMER_NAMES = declare(
    "former_names",
    "people",
    "a name or email that the directory once had of a user",
    ("user_id", "field", "value"),
    [
        ("user_id", TEXT, "the user"),
        ("field", TEXT, "name or email"),
        ("value", TEXT, "what it was"),
        ("until", DAY, "UTC day on which another was first read"),
    ],
    is_original=True,
)

USER_CORRECTIONS = declare(
    "user_corrections",
    "people",
    "what a person said of a user that the directory has wrong",
    ("user_id", "field"),
    [
        ("user_id", TEXT, "the user"),
        ("field", TEXT, "name, email or date_of_birth"),
        ("was", TEXT, "what the directory says, and as long as it does the correction stands; null where nothing"),
        ("value", TEXT, "what is right; null where it is not known"),
        ("reason", TEXT, "why, in the person's words"),
        ("made_at", INSTANT, "when it was said"),
    ],
    is_original=True,
)

IDENTIFIER_DAYS = declare(
    "identifier_days",
    "people",
    "identifier x user x Business x day",
    ("date", "identifier_kind", "identifier", "login", "user_id", "business_id"),
    [
        ("identifier_kind", WORD, "visitor (cookie), login, or address (of a visitor without a cookie, by user agent)"),
        ("identifier", TEXT, "the visitor_id or login name seen; addresses only where a user or login was beside them"),
        ("login", TEXT, "login name on the same lines; null for lines with none"),
        ("user_id", TEXT, "authenticated user on the same lines; null for lines with none"),
        ("business_id", TEXT, "Business on the same lines; null for lines with none"),
        ("first_at", INSTANT, "first act that day"),
        ("last_at", INSTANT, "last act that day"),
        ("first_request_id", TEXT, "the first act's request"),
        ("acts", COUNT, "acts that day"),
    ],
    by_day=True,
)

LINK_CORRECTIONS = declare(
    "link_corrections",
    "people",
    "what a person said of an identifier and a user",
    ("identifier_kind", "identifier", "user_id", "valid_from"),
    [
        ("identifier_kind", TEXT, "visitor, login or address, as in identifier_days"),
        ("identifier", TEXT, "the visitor_id or login name"),
        ("user_id", TEXT, "the user"),
        ("verdict", TEXT, "add: it is the user's; remove: no rule may say that it is"),
        ("business_id", TEXT, "the Business that was named; null where none was"),
        ("valid_from", INSTANT, "from when it is the user's; null where always"),
        ("valid_to", INSTANT, "until when, itself included; null where always"),
        ("reason", TEXT, "why, in the person's words"),
        ("made_at", INSTANT, "when it was said"),
    ],
    is_original=True,
)

ERASED_OWNERS = declare(
    "erased_owners",
    "people",
    "an identifier that others use, too, x an erasure of users who had it",
    ("erasure", "identifier_kind", "identifier"),
    [
        ("identifier_kind", TEXT, "visitor, login or address, as in identifier_days; name for a name in the directory"),
        ("identifier", TEXT, "the visitor_id, login name, or user id or email that is another user's as well"),
        ("users", COUNT, "erased users who were seen with it, so that it stays shared"),
        ("owners", COUNT, "erased users who were seen with it or said to have it, so that it becomes nobody's own"),
        ("erasure", COUNT, "number of the erasure"),
    ],
    is_original=True,
)

SETTLED_ACTS = declare(
    "settled_acts",
    "people",
    "an act whose link the rules would tell otherwise since somebody was erased",
    ("request_id",),
    [
        ("request_id", TEXT, "as in requests"),
        ("business_id", TEXT, "as in acts, before the erasure"),
        ("user_id", TEXT, "as in acts, before the erasure; null where it was nobody's"),
        ("linked_by", TEXT, "as in acts, before the erasure"),
        ("link_evidence", TEXT, "as in acts, before the erasure; null where that request was erased"),
    ],
    by_day=True,
    is_original=True,
)

IDENTIFIER_LINKS = declare(
    "identifier_links",
    "people",
    "identifier x user x span: whose it is beyond what lines say",
    ("identifier_kind", "identifier", "user_id", "method", "valid_from"),
    [
        ("identifier_kind", TEXT, "visitor, login or address, as in identifier_days"),
        ("identifier", TEXT, "the visitor_id or login name"),
        ("user_id", TEXT, "the user; null for a shared identifier, which is nobody's"),
        ("method", TEXT, "identifier, visitor_cookie, correction, removed or shared"),
        ("evidence", TEXT, "request_id of a line that shows it"),
        ("business_id", TEXT, "the only Business seen with it; null where none or several"),
        ("valid_from", INSTANT, "beginning of the span; null for a correction without one"),
        ("valid_to", INSTANT, "end of the span, itself included; null for a correction without one"),
        ("users", COUNT, "of a shared identifier: how many users it was seen with; else null"),
    ],
)

ACTS = declare(
    "acts",
    "people",
    "an act (page, api, event or download) with the person it belongs to",
    ("request_id",),
    [
        ("request_id", TEXT, "as in requests"),
        ("occurred_at", INSTANT, "as in requests"),
        ("tie_rank", pa.int32(), "order among acts of one instant: pages first, changes before reads"),
        ("visitor_id", TEXT, "as in requests"),
        ("business_id", TEXT, "Business on the line, else of the piece it was linked within; null where unknown"),
        ("user_id", TEXT, "user on the line, or linked; null where anonymous"),
        ("linked_by", TEXT, "on_line, correction, identifier, same_visit or visitor_cookie; null where anonymous"),
        ("link_evidence", TEXT, "request_id that shows the link; null where anonymous"),
        ("actor", TEXT, "Business + user + device, or Business + visitor: whose acts are cut into visits"),
    ],
    by_day=True,
)

SAME_VISIT_DAYS = declare(
    "same_visit_days",
    "people",
    "visitor x user x day: anonymous acts given to the only user of their visit",
    ("date", "visitor_id", "user_id"),
    [
        ("visitor_id", TEXT, "as in requests"),
        ("user_id", TEXT, "whose the acts are"),
        ("business_id", TEXT, "the only Business of these acts; null where none or several"),
        ("first_at", INSTANT, "first of these acts that day"),
        ("last_at", INSTANT, "last of these acts that day"),
        ("evidence", TEXT, "request_id of the first act of the visit that is known to be the user's"),
        ("acts", COUNT, "how many"),
    ],
    by_day=True,
)

USER_LINKS = declare(
    "user_links",
    "people",
    "identifier x user x span",
    ("identifier_kind", "identifier", "user_id", "method", "valid_from"),
    [
        ("identifier_kind", TEXT, "visitor (cookie), login or address, as in identifier_days"),
        ("identifier", TEXT, "the visitor_id or login name"),
        ("user_id", TEXT, "the user it belongs to within the span, or whose acts are among its own (same_visit)"),
        ("method", TEXT, "on_line, identifier, same_visit, visitor_cookie or correction: what made the link"),
        ("evidence", TEXT, "request_id of a line that shows it; of a correction, where the identifier was first seen"),
        ("business_id", TEXT, "the only Business seen with it; null where none or several"),
        ("valid_from", INSTANT, "first act in the span; null for a correction without one"),
        ("valid_to", INSTANT, "last act in the span; null for a correction without one"),
    ],
)

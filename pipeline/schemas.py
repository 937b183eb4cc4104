"""What each table is, column by column: the one place that declares schemas, grains, keys and layers.

Here belong names, types and the words that describe them. How a table comes about does not: that is a model in `sql/`
or a room of `pipeline/`.
"""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, DAY, FLAG, INSTANT, TEXT, WORD, Column, Table, declare

_ORIGIN: list[Column] = [
    ("source", WORD, "first-level folder of the landing folder: one server's stream of lines"),
    ("file_id", WORD, "the file that brought the line, as in ingested_files"),
    ("line_offset", COUNT, "where the line begins in the file's decompressed bytes"),
]

_CAMPAIGN: list[Column] = [
    ("utm_source", WORD, "utm_source of the target's query"),
    ("utm_medium", WORD, "utm_medium of the target's query"),
    ("utm_campaign", WORD, "utm_campaign of the target's query"),
    ("utm_term", WORD, "utm_term of the target's query"),
    ("utm_content", WORD, "utm_content of the target's query"),
]

_PLACE: list[Column] = [
    ("country", WORD, "ISO 3166 code of the address's country; null where unknown"),
    ("region", WORD, "ISO 3166-2 part after the country, or the region's name; null where unknown"),
    ("city", WORD, "city's English name; null where unknown"),
]

RAW_REQUESTS = declare(
    "raw_requests",
    "raw",
    "a kept log line",
    ("file_id", "line_offset"),
    [
        *_ORIGIN,
        ("line_hash", pa.int64(), "hash of the line's fields: equal lines of a source have equal hashes"),
        ("occurred_at", INSTANT, "the line's time, read with the line's own offset from UTC"),
        ("zone", WORD, "the offset as written, such as +0330; the configured zone's name where the line has none"),
        ("host", WORD, "virtual host as written"),
        ("ip", WORD, "the connecting address as written"),
        ("forwarded_for", WORD, "the forwarded-for header as written"),
        ("ident", WORD, "identd field as written; null for -"),
        ("remote_user", WORD, "the web server's authenticated name as written; null for -"),
        ("request", WORD, "the request line where it is not METHOD TARGET PROTOCOL; null otherwise"),
        ("method", WORD, "request method as written"),
        ("target", WORD, "request target (path and query) as written"),
        ("protocol", WORD, "HTTP version as written"),
        ("status", pa.int16(), "response status; null for -"),
        ("bytes_sent", COUNT, "response size in bytes; null for -"),
        ("referrer", WORD, "referrer header as written; null for -"),
        ("user_agent", WORD, "user agent header as written; null for -"),
        ("duration_ms", pa.float64(), "time taken to answer; null where the log does not say"),
        ("user_id", WORD, "authenticated user id that the service wrote; null where none"),
        ("business_id", WORD, "Business that the service wrote; null where none"),
        ("visitor_cookie", WORD, "visitor cookie or app id that the service wrote; null where none"),
        ("extra", WORD, "further fields of the line, a JSON object; null where none"),
        ("line_prefix", WORD, "what a wrapper such as syslog had put in front of the line; null where nothing"),
        (
            "line",
            pa.binary(),
            "the whole line where the other columns do not tell it byte for byte; else null",
        ),
    ],
    by_day=True,
)

REJECTED_LINES = declare(
    "rejected_lines",
    "raw",
    "a line that could not be parsed",
    ("file_id", "line_offset"),
    [
        *_ORIGIN,
        ("reason", WORD, "named code, see pipeline/formats/reasons.py"),
        ("text", pa.string(), "the line; bytes that are not UTF-8 as backslash escapes"),
        ("text_bytes", COUNT, "the line's true length; the text of a line of more than 4 MiB is cut"),
        ("line", pa.binary(), "the line's bytes where they are not UTF-8; null where `text` is the line"),
    ],
    by_day=True,
)

BLANK_LINES = declare(
    "blank_lines",
    "raw",
    "an empty line, or a comment of the file's format",
    ("file_id", "line_offset"),
    [*_ORIGIN, ("line", pa.binary(), "the comment; null for an empty line")],
    by_day=True,
)

DUPLICATE_LINES = declare(
    "duplicate_lines",
    "raw",
    "a line that another file of the same source had brought already",
    ("file_id", "line_offset"),
    [
        *_ORIGIN,
        ("line_hash", pa.int64(), "hash of the line's fields, as in raw_requests"),
        ("occurred_at", INSTANT, "the line's time"),
        ("line_prefix", WORD, "as in raw_requests; what this copy had in front of it"),
        ("line", pa.binary(), "as in raw_requests"),
    ],
    by_day=True,
)

INGESTED_FILES = declare(
    "ingested_files",
    "raw",
    "a file, by content",
    ("file_id",),
    [
        ("file_id", TEXT, "hash of the source and of what the file held when first read"),
        ("source", TEXT, "first-level folder of the landing place, or what a stream was said to be of"),
        ("path", TEXT, "where it was last seen, relative to the landing place; - where it only came as a stream"),
        ("format", TEXT, "the format found; null where nothing was readable"),
        ("format_state", TEXT, "directives that hold in a W3C log, or the layout of a pasted format; else null"),
        ("compression", TEXT, "none, gzip, bzip2 or zstd"),
        ("state", TEXT, "complete, growing (its last line waits for its end), or damaged (see problem)"),
        ("problem", TEXT, "what was wrong with the file as a whole; null where nothing was"),
        ("bytes_read", COUNT, "decompressed bytes that became lines"),
        ("bytes_waiting", COUNT, "decompressed bytes after the last newline: a line not finished yet"),
        ("lines_read", COUNT, "= lines_kept + lines_rejected + lines_duplicate + lines_blank"),
        ("lines_kept", COUNT, "lines now in raw_requests"),
        ("lines_rejected", COUNT, "lines now in rejected_lines"),
        ("lines_duplicate", COUNT, "copies of lines that another file of this source had brought"),
        ("lines_ambiguous", COUNT, "of the duplicates, those in one single second: copies, or equal requests"),
        ("lines_blank", COUNT, "empty lines and the format's own comment lines"),
        ("first_at", INSTANT, "first instant on a kept or duplicate line"),
        ("last_at", INSTANT, "last instant on a kept or duplicate line"),
        ("first_line", TEXT, "what the line at offset 0 is: kept, rejected, duplicate or blank; null where none"),
        ("first_line_date", DAY, "the day of the table that holds it"),
        ("first_text", pa.binary(), "that line, where it may be the end of a longer one: as it stands in this file"),
        ("last_line", TEXT, "what a last line without newline is: rejected, kept, duplicate, joined; null if it waits"),
        ("continues_file_id", TEXT, "the file whose unfinished last line this file's first bytes ended; null usually"),
        ("content_hash", TEXT, "hash of the first bytes_read bytes: a file that begins so is this file, read further"),
        ("head_hash", TEXT, "hash of the first head_bytes bytes, to find candidates quickly"),
        ("head_bytes", COUNT, "how many bytes head_hash covers"),
        ("waiting_text", pa.binary(), "the unfinished last line itself"),
        ("read_at", INSTANT, "when it was last read further"),
    ],
)

LANDING_FILES = declare(
    "landing_files",
    "raw",
    "a path in the landing place",
    ("path",),
    [
        ("path", TEXT, "relative to the landing folder or prefix"),
        ("file_id", TEXT, "the file found there; null where it could not be read"),
        ("size", COUNT, "bytes when last read"),
        ("modified_ns", COUNT, "modification time when last read, ns since 1970"),
        ("etag", TEXT, "an object's ETag when last read; null for a file in a folder"),
    ],
)

REQUESTS = declare(
    "requests",
    "core",
    "a kept request, once",
    ("request_id",),
    [
        ("request_id", TEXT, "UTC day and a hash of source and line: the same whenever and however it arrives"),
        ("source", WORD, "as in raw_requests"),
        ("occurred_at", INSTANT, "when, as in raw_requests"),
        ("ip", WORD, "client's address: the connecting one, or the forwarded one where a trusted proxy connects"),
        ("method", WORD, "request method"),
        ("host", WORD, "virtual host, lower case, without port"),
        ("path", WORD, "target without query and fragment"),
        ("query", WORD, "the target's query; null where none"),
        ("protocol", WORD, "HTTP version"),
        ("status", pa.int16(), "response status; null where the log has none"),
        ("bytes_sent", COUNT, "response size in bytes; null where the log has none"),
        ("duration_ms", pa.float64(), "time taken to answer; null where the log has none"),
        ("referrer", WORD, "as written"),
        ("user_agent", WORD, "as written"),
        ("identifier", WORD, "login name on the line (the web server's authenticated name); null where none"),
        ("user_id", WORD, "authenticated user id on the line; null where none"),
        ("business_id", WORD, "Business on the line; null where none"),
        (
            "visitor_id",
            WORD,
            "browser or app: c- and the log's own cookie, or h- and a keyed hash of ip and user agent",
        ),
        ("kind", WORD, "page, api, event, asset, download, health or other"),
        ("route", WORD, "path with its variable parts named, such as /clients/{id}"),
        ("browser", WORD, "browser family; null where unknown"),
        ("browser_version", WORD, "browser version; null where unknown"),
        ("os", WORD, "system family; null where unknown"),
        ("os_version", WORD, "system version; null where unknown"),
        ("device", WORD, "device brand and model; null where unknown"),
        ("device_type", WORD, "desktop, mobile, tablet, bot or other"),
        ("is_bot", FLAG, "any bot signal, and not an authenticated user by user agent alone"),
        ("bot_signals", WORD, "named signals, comma-separated, in order; null where none"),
        *_PLACE,
        ("referrer_medium", WORD, "direct, internal, search, social, ai, email, paid, referral or unknown"),
        ("referrer_name", WORD, "name of the search engine, network, assistant or mail service, else its host"),
        *_CAMPAIGN,
        ("extra", WORD, "as in raw_requests"),
        ("enrichment_version", WORD, "version of the rules, settings and databases that derived the columns above"),
    ],
    by_day=True,
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

CLICKSTREAM = declare(
    "clickstream",
    "core",
    "a person's act (page view, API act, event, download), in order",
    ("request_id",),
    [
        ("request_id", TEXT, "as in requests"),
        ("visit_id", TEXT, "the visit this act is part of"),
        ("visit_seq", pa.int32(), "1 for the visit's first act"),
        ("occurred_at", INSTANT, "when"),
        ("seconds_to_next", pa.float64(), "to the visit's next act; null for the last one"),
        ("visitor_id", TEXT, "as in requests"),
        ("user_id", TEXT, "who; null where anonymous"),
        ("business_id", TEXT, "the Business; null where unknown"),
        ("linked_by", TEXT, "how the user is known: on_line, correction, identifier, same_visit or visitor_cookie"),
        ("link_evidence", TEXT, "request_id that shows the link"),
        ("source", TEXT, "as in requests"),
        ("kind", TEXT, "page, api, event or download"),
        ("method", TEXT, "request method"),
        ("host", TEXT, "virtual host"),
        ("path", TEXT, "target without query"),
        ("route", TEXT, "path with its variable parts named"),
        ("status", pa.int16(), "response status"),
        ("duration_ms", pa.float64(), "time taken to answer"),
        ("referrer", TEXT, "as written"),
        ("browser", TEXT, "as in requests"),
        ("os", TEXT, "as in requests"),
        ("device_type", TEXT, "as in requests"),
        ("is_bot", FLAG, "as in requests"),
    ],
    by_day=True,
)

VISITS = declare(
    "visits",
    "core",
    "a visit, on the UTC day on which it starts",
    ("visit_id",),
    [
        ("visit_id", TEXT, "UTC day and a hash of the actor and the first act"),
        ("visitor_id", TEXT, "visitor of the first act"),
        ("user_id", TEXT, "who; null where anonymous"),
        ("business_id", TEXT, "the Business; null where unknown"),
        ("started_at", INSTANT, "first act"),
        ("ended_at", INSTANT, "last act"),
        ("observed_s", pa.float64(), "last act - first act"),
        ("length_s", pa.float64(), "what is known of the whole stay; null where unknown, never 0 for one act"),
        ("length_basis", TEXT, "source, events, observed or unknown"),
        ("requests", COUNT, "acts in the visit"),
        ("page_views", COUNT, "pages answered with a status below 400"),
        ("acts", COUNT, "API acts that change something, events and downloads"),
        ("errors", COUNT, "acts answered with a status of 400 to 499"),
        ("server_errors", COUNT, "acts answered with a status of 500 or more"),
        ("entry_path", TEXT, "path of the first page, else of the first act"),
        ("exit_path", TEXT, "path of the last page, else of the last act"),
        ("referrer", TEXT, "referrer of the first act that did not come from the service itself"),
        ("referrer_medium", TEXT, "medium of that act"),
        ("referrer_name", TEXT, "name of that act's referrer"),
        ("channel", TEXT, "default channel group of that act, see pipeline/channels.toml"),
        ("utm_source", TEXT, "of that act"),
        ("utm_medium", TEXT, "of that act"),
        ("utm_campaign", TEXT, "of that act"),
        ("utm_term", TEXT, "of that act"),
        ("utm_content", TEXT, "of that act"),
        ("browser", TEXT, "of the first act"),
        ("os", TEXT, "of the first act"),
        ("device_type", TEXT, "of the first act"),
        ("country", TEXT, "of the first act"),
        ("region", TEXT, "of the first act"),
        ("city", TEXT, "of the first act"),
        ("is_bot", FLAG, "any act is a bot's"),
        ("is_single_page", FLAG, "one page view"),
        ("is_engaged", FLAG, "two page views or more, or an API act that changes something, or a length over 10 s"),
        ("is_bounce", FLAG, "single page, not engaged"),
    ],
    by_day=True,
)

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

USER_DAYS = declare(
    "user_days",
    "lookup",
    "user x Business x day",
    ("date", "user_id", "business_id"),
    [
        ("user_id", TEXT, "who"),
        ("business_id", TEXT, "in which Business; null where unknown"),
        ("requests", COUNT, "acts that day"),
        ("visits", COUNT, "visits that start that day"),
        ("errors", COUNT, "acts answered with a status of 400 or more"),
        ("first_at", INSTANT, "first act that day"),
        ("last_at", INSTANT, "last act that day"),
        ("last_error_at", INSTANT, "last act with a status of 400 or more; null where none"),
        ("devices", pa.list_(TEXT), "browser on system, distinct, sorted"),
        ("identifiers", pa.list_(TEXT), "visitor_ids, distinct, sorted"),
    ],
    by_day=True,
)

USER_LOOKUP = declare(
    "user_lookup",
    "lookup",
    "a user, known from the directory or seen on lines",
    ("user_id",),
    [
        ("user_id", TEXT, "who"),
        ("name", TEXT, "full name; null where the directory does not know the user"),
        ("email", TEXT, "email address; null where unknown"),
        ("search_text", TEXT, "name, email and id without case and accents: what a search looks in"),
        ("business_ids", pa.list_(TEXT), "Businesses of memberships and of lines, sorted"),
        ("business_names", pa.list_(TEXT), "their names in the same order; the id where the name is unknown"),
        ("identifiers", pa.list_(TEXT), "visitor_ids and login names seen, sorted"),
        ("devices", pa.list_(TEXT), "browser on system, distinct, sorted"),
        ("first_seen_at", INSTANT, "first act; null where never seen"),
        ("last_seen_at", INSTANT, "last act; null where never seen"),
        ("visits", COUNT, "visits in all; 0 where never seen"),
        ("last_error_at", INSTANT, "last act with a status of 400 or more; null where none"),
    ],
)

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
        IDENTIFIER_DAYS,
        LINK_CORRECTIONS,
        IDENTIFIER_LINKS,
        ACTS,
        SAME_VISIT_DAYS,
        USER_LINKS,
        CLICKSTREAM,
        VISITS,
        USER_DAYS,
        USER_LOOKUP,
    )
}

"""Tables of what was read: lines as they came, and the files that brought them."""

from __future__ import annotations

import pyarrow as pa

from pipeline.table import COUNT, DAY, INSTANT, TEXT, WORD, Column, declare

_ORIGIN: list[Column] = [
    ("source", WORD, "first-level folder of the landing folder: one server's stream of lines"),
    ("file_id", WORD, "the file that brought the line, as in ingested_files"),
    ("line_offset", COUNT, "where the line begins in the file's decompressed bytes"),
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
        ("lines_read", COUNT, "= lines_kept + lines_rejected + lines_duplicate + lines_blank + lines_erased"),
        ("lines_kept", COUNT, "lines now in raw_requests"),
        ("lines_rejected", COUNT, "lines now in rejected_lines"),
        ("lines_duplicate", COUNT, "copies of lines that another file of this source had brought"),
        ("lines_ambiguous", COUNT, "of the duplicates, those in one single second: copies, or equal requests"),
        ("lines_blank", COUNT, "empty lines and the format's own comment lines"),
        ("lines_erased", COUNT, "lines taken out, or left out as they arrived, because somebody was erased"),
        ("values_masked", COUNT, "values in these lines that the setting `mask` had replaced before they were kept"),
        ("first_at", INSTANT, "first instant on a kept or duplicate line"),
        ("last_at", INSTANT, "last instant on a kept or duplicate line"),
        (
            "first_line",
            TEXT,
            "what the line at offset 0 is: kept, rejected, duplicate, blank or erased; null where none",
        ),
        ("first_line_date", DAY, "the day of the table that holds it"),
        ("first_text", pa.binary(), "that line, where it may be the end of a longer one: as it stands in this file"),
        (
            "last_line",
            TEXT,
            "what a last line without newline is: rejected, kept, duplicate, joined, erased; null: it waits",
        ),
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

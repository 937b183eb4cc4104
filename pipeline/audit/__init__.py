"""The log of who looked at whom: noted before anything is shown, chained so that a change is found, readable by month.

Who may look, and what is shown, does not belong here. What the chain cannot find is said in `verify`.
"""

from pipeline.audit.entries import AccessLogError, Entry, Outcome, Subject, View
from pipeline.audit.folder import Head, read_head
from pipeline.audit.keys import access_key, user_hash
from pipeline.audit.log import AccessLog
from pipeline.audit.read import UNKNOWN_USER, Look, looks_at_business, read_entries
from pipeline.audit.verify import Problem, verify

__all__ = [
    "UNKNOWN_USER",
    "AccessLog",
    "AccessLogError",
    "Entry",
    "Head",
    "Look",
    "Outcome",
    "Problem",
    "Subject",
    "View",
    "access_key",
    "looks_at_business",
    "read_entries",
    "read_head",
    "user_hash",
    "verify",
]

"""What a Business may ask about its users' data, and the record of what was asked.

Who looked at whom in everyday work is `audit`'s.
"""

from pipeline.privacy.access import Asking, answer_access, receive
from pipeline.privacy.export import ExportError
from pipeline.privacy.found import Found, addresses_hold_nothing_personal, find_personal
from pipeline.privacy.person import Person, PersonError, find_person
from pipeline.privacy.record import DONE, KINDS, REFUSED, Record, RecordError, Request

__all__ = [
    "DONE",
    "KINDS",
    "REFUSED",
    "Asking",
    "ExportError",
    "Found",
    "Person",
    "PersonError",
    "Record",
    "RecordError",
    "Request",
    "addresses_hold_nothing_personal",
    "answer_access",
    "find_person",
    "find_personal",
    "receive",
]

"""What a Business may ask about its users' data — to see it, have it put right or erased — and the record of it.

Who looked at whom in everyday work is `audit`'s.
"""

from pipeline.privacy.access import Asking, answer_access, find_or_refuse, receive
from pipeline.privacy.correct import Changed, Wanted, correct_person
from pipeline.privacy.erase import ErasureError, erase, subject_of
from pipeline.privacy.export import ExportError
from pipeline.privacy.found import Found, addresses_hold_nothing_personal, find_personal
from pipeline.privacy.holds import Hold, add_hold, all_holds, lift
from pipeline.privacy.leave import export_business
from pipeline.privacy.person import Person, PersonError, find_person
from pipeline.privacy.record import DONE, KINDS, REFUSED, Record, RecordError, Request
from pipeline.privacy.replay import ReplayError, replay
from pipeline.privacy.share import ShareError
from pipeline.privacy.waiting import DryRun, ask_erasure, dry_run, erase_waiting

__all__ = [
    "DONE",
    "KINDS",
    "REFUSED",
    "Asking",
    "Changed",
    "DryRun",
    "ErasureError",
    "ExportError",
    "Found",
    "Hold",
    "Person",
    "PersonError",
    "Record",
    "RecordError",
    "ReplayError",
    "Request",
    "ShareError",
    "Wanted",
    "add_hold",
    "addresses_hold_nothing_personal",
    "all_holds",
    "answer_access",
    "ask_erasure",
    "correct_person",
    "dry_run",
    "erase",
    "erase_waiting",
    "export_business",
    "find_or_refuse",
    "find_person",
    "find_personal",
    "lift",
    "receive",
    "replay",
    "subject_of",
]

"""A look at one file: what it is, what would be rejected and why, whose clock it keeps; nothing is stored."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats import REASONS, Format, W3cFormat, find_format
from pipeline.formats.proposal import Proposal, propose
from pipeline.formats.proposal_json import propose_fields
from pipeline.ingest.blocks import Block, Overlong, Tail, cut_blocks
from pipeline.ingest.columns import RejectedLine
from pipeline.ingest.limits import Limit, limit_of
from pipeline.ingest.parsing import parse_block
from pipeline.ingest.pieces import find_compression, read_pieces
from pipeline.ingest.stores import Readable
from pipeline.settings import Settings

_ENOUGH = Limit(256 << 20, "enough was seen")
_SAMPLES_A_REASON = 3
_SAMPLED_LINES = 200
_LONGEST_SAMPLE = 300
_PRIVATE = ("10.", "192.168.", "172.16.", "172.17.", "172.18.", "172.19.", "172.2", "172.3", "127.", "::1", "fd")


@dataclass
class DoctorReport:
    """What a file is.

    Attributes:
        lines: of those looked at.
        rejects: by reason: how many, what that means, and samples.
        zones: lines by zone as written.
        agents: lines by user agent, for whoever knows bots.
        warnings: what is worth knowing before the file is trusted.
        is_whole: whether the whole file was looked at.
        proposal: a format to paste, where the file's is none that Trail knows.
    """

    path: str
    compression: str = "none"
    format: str | None = None
    lines: int = 0
    kept: int = 0
    blank: int = 0
    rejected: int = 0
    rejects: dict[str, dict[str, Any]] = field(default_factory=dict)
    first_at: datetime | None = None
    last_at: datetime | None = None
    zones: dict[str, int] = field(default_factory=dict)
    bot_share: float | None = None
    agents: Counter[str | None] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    is_whole: bool = True
    proposal: Proposal | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, without the list of agents."""
        found = asdict(self)
        del found["agents"]
        return found


def examine(name: str, path: Readable, settings: Settings) -> DoctorReport:
    """Look at a file, at the first 256 MB of a larger one.

    Args:
        name: what it is called in the report.
        path: the file.
        settings: names of JSON fields, proxies.

    Raises:
        OSError: it cannot be read.
    """
    report = DoctorReport(name, find_compression(path))
    addresses: Counter[str | None] = Counter()
    known: Format | None = None
    first: Block | None = None
    has_forwarded = False
    limit = min(_ENOUGH, limit_of(_size(path), settings), key=lambda entry: entry.bytes)
    for item in cut_blocks(read_pieces(path, report.compression, limit=limit), 0):
        if isinstance(item, Tail):
            _note_tail(report, item)
            break
        if isinstance(item, Overlong):
            _note(report, [RejectedLine(item.offset, "line_too_long", item.head, item.length)])
            report.lines += 1
            continue
        first = first or item
        known = known or find_format(_sample(item), settings)
        parsed = parse_block(item, known)
        if isinstance(known, W3cFormat):
            known = known.after_block(item.data)
        report.lines += len(item)
        report.kept += parsed.kept.num_rows
        report.blank += parsed.blank.num_rows
        _note(report, parsed.rejected)
        _note_span(report, parsed.kept)
        addresses.update(_counted(parsed.kept["ip"]))
        report.agents.update(_counted(parsed.kept["user_agent"]))
        has_forwarded |= parsed.kept["forwarded_for"].null_count < parsed.kept.num_rows
    report.format = known.name if known else None
    if known is None and first is not None:
        report.proposal = propose_fields(_sample(first)) or propose(_sample(first))
    _warn(report, addresses, has_forwarded)
    return report


def _sample(block: Block) -> list[str]:
    lines = (block.line(number) for number in range(min(len(block), _SAMPLED_LINES)))
    return [line[:65536].decode("utf-8", "backslashreplace") for line in lines]


def _size(path: Readable) -> int:
    with path.open("rb") as file:
        return file.seek(0, os.SEEK_END)


def _note_tail(report: DoctorReport, tail: Tail) -> None:
    if tail.problem == _ENOUGH.problem:
        report.is_whole = False
        return
    if tail.problem:
        report.warnings.append(f"the file is damaged: {tail.problem}; what comes before is readable")
    if tail.length:
        report.warnings.append(f"the last line has no newline yet ({tail.length} bytes): it waits for its end")
    if not tail.offset and not tail.length:
        report.warnings.append("the file is empty")


def _note(report: DoctorReport, rejected: list[RejectedLine]) -> None:
    report.rejected += len(rejected)
    for line in rejected:
        entry = report.rejects.setdefault(line.reason, {"lines": 0, "means": REASONS[line.reason], "samples": []})
        entry["lines"] += 1
        if len(entry["samples"]) < _SAMPLES_A_REASON:
            text = line.text[:_LONGEST_SAMPLE].decode("utf-8", "backslashreplace")
            entry["samples"].append({"offset": line.offset, "text": text})


def _note_span(report: DoctorReport, kept: pa.Table) -> None:
    if not kept.num_rows:
        return
    span = pc.min_max(kept["occurred_at"]).as_py()
    report.first_at = min(report.first_at or span["min"], span["min"])
    report.last_at = max(report.last_at or span["max"], span["max"])
    for zone, count in _counted(kept["zone"]).items():
        name = zone or "none (the source's time_zone setting counts)"
        report.zones[name] = report.zones.get(name, 0) + count


def _counted(column: pa.ChunkedArray) -> Counter[str | None]:
    counts = column.cast(pa.string()).value_counts()
    return Counter(dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)))


def _warn(report: DoctorReport, addresses: Counter[str | None], has_forwarded: bool) -> None:
    if report.lines and report.format is None:
        report.warnings.append("no line is of a format that Trail reads")
    if report.kept and report.rejected > report.lines * 0.05:
        report.warnings.append(f"{report.rejected / report.lines:.0%} of the lines would be rejected")
    most = addresses.most_common(1)
    if report.kept >= 10 and most and most[0][1] == report.kept:
        hint = (
            "name it in trusted_proxies, and the forwarded address on each line counts"
            if has_forwarded
            else 'log the forwarded address too (a further quoted field "$http_x_forwarded_for")'
        )
        kind = "a proxy's" if str(most[0][0]).startswith(_PRIVATE) else "probably a proxy's"
        report.warnings.append(f"all lines come from {most[0][0]}, {kind} address: {hint}")
    if len(report.zones) > 1:
        report.warnings.append(f"lines carry several zones: {', '.join(sorted(report.zones))}")

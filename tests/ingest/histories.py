"""What may happen to the logs of a service until they are read: a server that writes, an operator and a shipper.

A site is one source. It keeps, beside the real files, which bytes of the true log each file holds; what was read, and
what must come of it, does not belong here.
"""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from tests.ingest.true_logs import TrueLog

Spans = tuple[tuple[int, int], ...]
LIVE = "access.log"
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@dataclass(frozen=True)
class Step:
    """One thing that happens at one of a history's sources.

    Attributes:
        kind: a name in `STEPS`.
        site: which source, modulo their number.
        where: where in a file or in the true log, in thousandths.
        how: which of several ways, files or packings.
        when: before the next reading, in it between the listing and the first file, or in it between two files.
    """

    kind: str
    site: int
    where: int
    how: int
    when: str


@dataclass(frozen=True)
class Version:
    """What a file held at some time.

    Attributes:
        spans: of the true log, in their order.
        is_packed: compressed, so that its last line is finished even without a newline.
    """

    spans: Spans
    is_packed: bool

    @property
    def start(self) -> int:
        """Where it begins in the true log."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where it ends in the true log."""
        return self.spans[-1][1]

    def holds(self, first: int, last: int) -> bool:
        """Whether it holds a stretch of the true log in one piece."""
        return any(start <= first and last <= end for start, end in self.spans)


class Site:
    """One source: its true log, its files in the landing folder, and what was done to them.

    Attributes:
        versions: all that some file ever held: a reading may have met any of them.
        read: what a reading surely met, for nothing else happened meanwhile.
        done: how often each kind of step really happened.
    """

    def __init__(self, log: TrueLog, landing: Path) -> None:
        self.log = log
        self.folder = landing / log.source
        self.folder.mkdir(parents=True)
        self.files: dict[str, Spans] = {}
        self.versions: set[Version] = set()
        self.read: set[Version] = set()
        self.done: Counter[str] = Counter()
        self._written = 0
        self._open_as: str | None = None
        self._handle = -1
        self._delivered = 0
        self._second_half: Callable[[], None] | None = None

    def do(self, step: Step) -> None:
        """Do a step; where it is not possible the server just writes on."""
        self.complete()
        if STEPS[step.kind](self, step):
            self.done[step.kind] += 1
            self.done[step.when] += 1
        else:
            self.append(step)
        self._note()

    def complete(self) -> None:
        """Do the second half of a step that takes its time: to truncate after copying, to upload the rest."""
        if self._second_half is not None:
            self._second_half()
            self._second_half = None
            self._note()

    def finish(self) -> None:
        """The server writes the rest of its log, and stops."""
        self.complete()
        if self._written < len(self.log.data):
            self._write(len(self.log.data))
        if self._open_as is not None:
            os.close(self._handle)
            self._open_as = None
        self._note()

    def note_reading(self) -> None:
        """Note that all files were read as they are."""
        self.read |= self._present()

    def deliver(self, spans: Spans, packing: str = "") -> None:
        """Put a file of some stretches of the true log into the landing folder, under a new name."""
        self._delivered += 1
        name = f"part-{self._delivered}{packing or '.log'}"
        self._put(name, spans)
        self._note()

    # What the server does.

    def append(self, step: Step) -> bool:
        """Write some bytes, which may end anywhere."""
        left = len(self.log.data) - self._written
        if not left:
            return False
        end = self._written + 1 + step.where * left // 2500
        cut = self._cut(end, step.how)
        return self._write(cut if cut > self._written else end)

    def _write(self, end: int) -> bool:
        if self._open_as is None:
            self._open_as = LIVE
            self._handle = os.open(self.folder / LIVE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(self._handle, self.log.data[self._written : end])
        held = self.files.get(self._open_as, ())
        if held and held[-1][1] == self._written:
            self.files[self._open_as] = (*held[:-1], (held[-1][0], end))
        else:
            self.files[self._open_as] = (*held, (self._written, end))
        self._written = end
        return True

    # What the operator does to the server's files.

    def rotate(self, step: Step) -> bool:
        """Rename the live file; the server writes on into it for a while, or opens a new one at once."""
        if self._open_as != LIVE or not self._tells_its_place(self.files[LIVE]):
            return False
        self._make_room()
        self._move(LIVE, f"{LIVE}.1")
        self._open_as = f"{LIVE}.1"
        if step.how % 3 == 0:
            self.done["writes after rename"] += 1
            self._note()
            self.append(step)
        os.close(self._handle)
        self._open_as = None
        if step.how % 2:
            self._note()
            self.append(step)
        return True

    def copy_and_truncate(self, step: Step) -> bool:
        """Copy the live file and, later, truncate it; the server writes nothing in between.

        What a server writes between the two is in no file and cannot be known: it is left out.
        """
        if self._open_as != LIVE or not self._tells_its_place(self.files[LIVE]):
            return False
        self._make_room()
        shutil.copyfile(self.folder / LIVE, self.folder / f"{LIVE}.1")
        self.files[f"{LIVE}.1"] = self.files[LIVE]

        def truncate() -> None:
            os.truncate(self.folder / LIVE, 0)
            self.files[LIVE] = ()

        self._second_half = truncate
        if step.how % 2:
            self.complete()
            self.append(step)
        return True

    def rewrite_shorter(self, step: Step) -> bool:
        """Truncate the live file to an earlier line; the server goes on with what comes next in the true log.

        At a line, for half a line before the beginning of another is a line that never was.
        """
        if self._open_as != LIVE or len(self.files[LIVE]) != 1:
            return False
        ((start, end),) = self.files[LIVE]
        lines = [at for at in self.log.starts if start < at < end and self._tells_its_place(((start, at),))]
        if not lines or self._written not in self.log.starts:
            return False
        cut = lines[step.where * len(lines) // 1000]
        os.truncate(self.folder / LIVE, cut - start)
        self.files[LIVE] = ((start, cut),)
        self._note()
        if step.how % 2:
            self.append(step)
        return True

    def pack(self, step: Step) -> bool:
        """Compress a rotated file; the plain one goes now or, for a while, stays beside it."""
        names = [name for name in self._closed() if name.startswith(f"{LIVE}.") and self._packing(name) == ""]
        if not names:
            return False
        name = names[step.where * len(names) // 1000]
        packing = self._some_packing(step, 0)
        self._put(f"{name}{packing}", self.files[name])

        def remove() -> None:
            self._remove(name)

        self._second_half = remove
        if step.how % 2:
            self.complete()
        return True

    def delete(self, step: Step) -> bool:
        """Delete a file that the server has not open."""
        names = self._closed()
        if not names:
            return False
        self._remove(names[step.where * len(names) // 1000])
        return True

    # What the shipper does.

    def deliver_again(self, step: Step) -> bool:
        """Deliver what a file held once under another name, packed or plain."""
        held = sorted((version.spans for version in self.versions if self._tells_its_place(version.spans)), key=repr)
        if not held:
            return False
        self.deliver(held[step.where * len(held) // 1000], self._some_packing(step))
        return True

    def deliver_cut(self, step: Step) -> bool:
        """Deliver a stretch of what is written, cut at lines or anywhere, whatever other files hold of it."""
        start = self._cut(step.where * self._written // 1000, step.how // 4)
        end = self._cut(start + 1 + (step.how % 100) * (self._written - start) // 100, step.how)
        if end > self._written or not self._tells_its_place(((start, end),)):
            return False
        self.deliver(((start, end),), self._some_packing(step))
        return True

    def fill_a_gap(self, step: Step) -> bool:
        """Deliver the first stretch that no file has held so far, of what is written; or of what is deleted."""
        missing = [
            number
            for number, (first, last) in enumerate(self.log.bounds)
            if last <= self._written and not any(held.holds(first, last) for held in self._present())
        ]
        if not missing:
            return False
        first, last = self.log.bounds[missing[0]][0], self.log.bounds[missing[-1]][1]
        if not self._tells_its_place(((first, last),)):
            return False
        self.deliver(((first, last),), self._some_packing(step))
        return True

    def upload_in_two_halves(self, step: Step) -> bool:
        """Deliver a compressed file of which first only a part arrives."""
        whole = ((0, self._written),)
        if not self._tells_its_place(whole):
            return False
        self._delivered += 1
        name = f"upload-{self._delivered}.gz"
        data = gzip.compress(self._bytes(whole))
        (self.folder / name).write_bytes(data[: max(1, step.where * len(data) // 1000)])

        def rest() -> None:
            (self.folder / name).write_bytes(data)
            self.files[name] = whole

        self._second_half = rest
        return True

    def shrink(self, step: Step) -> bool:
        """Truncate a delivered file anywhere; it grows again to what it held, in one piece or two."""
        names = [name for name in self._closed() if self._packing(name) == "" and len(self.files[name]) == 1]
        if not names:
            return False
        name = names[step.how % len(names)]
        ((start, end),) = self.files[name]
        cut = start + step.where * (end - start) // 1000
        if not self._tells_its_place(((start, cut),)):
            return False
        os.truncate(self.folder / name, cut - start)
        self.files[name] = ((start, cut),)

        def grow() -> None:
            with (self.folder / name).open("ab") as file:
                file.write(self.log.data[cut:end])
            self.files[name] = ((start, end),)

        self._second_half = grow
        return True

    # How files are kept.

    def _put(self, name: str, spans: Spans) -> None:
        packing = self._packing(name)
        data = self._bytes(spans)
        (self.folder / name).write_bytes(PACKINGS[packing](data) if packing else data)
        self.files[name] = spans

    def _bytes(self, spans: Spans) -> bytes:
        return b"".join(self.log.data[start:end] for start, end in spans)

    def _move(self, name: str, to: str) -> None:
        (self.folder / name).rename(self.folder / to)
        self.files[to] = self.files.pop(name)

    def _remove(self, name: str) -> None:
        (self.folder / name).unlink()
        del self.files[name]

    def _make_room(self) -> None:
        """Rename access.log.2 to access.log.3 and so on, packed or not, the last first."""
        rotated = [name for name in self.files if name.startswith(f"{LIVE}.")]
        for name in sorted(rotated, key=lambda name: -int(name.split(".")[2])):
            base, live, number, *packing = name.split(".")
            self._move(name, ".".join((base, live, str(int(number) + 1), *packing)))

    def _closed(self) -> list[str]:
        return sorted(name for name in self.files if name != self._open_as and name != LIVE)

    def _packing(self, name: str) -> str:
        return next((packing for packing in PACKINGS if name.endswith(packing)), "")

    def _some_packing(self, step: Step, least: int = 1) -> str:
        return ("", *PACKINGS)[1 - least :][step.how % (3 + least)]

    def _cut(self, near: int, how: int) -> int:
        """A place to cut at: just there, at the end of its line, before that line's newline, inside its first field."""
        first, last = next((line for line in self.log.bounds if line[0] < near <= line[1]), (0, 0))
        return (near, last, last - 1, min(first + 5, last))[how % 4]

    def _tells_its_place(self, spans: Spans) -> bool:
        """Whether a file holds a whole line that can be parsed.

        One that holds unparsable lines only, or parts of a single line, tells nothing of where it belongs.
        """
        return any(
            self.log.is_request(number) and any(start <= first and last <= end for start, end in spans)
            for number, (first, last) in enumerate(self.log.bounds)
        )

    def _present(self) -> set[Version]:
        return {Version(spans, self._packing(name) != "") for name, spans in self.files.items() if spans}

    def _note(self) -> None:
        self.versions |= self._present()

    # What has surely been delivered.

    def missing_lines(self) -> list[int]:
        """The lines that no reading surely met so that it can be known what they are.

        A line is known where a file held it whole, but not everywhere:

        - lines that are equal could be one, on two sides of a cut: one file must have held all of them;
        - a broken line tells no time, and half a line may tell nothing at all, so that they are known by the requests
          beside them: one file must have held all three;
        - a line in two parts can be put together if it was cut at one place only, and is a request.
        """
        return [number for number in range(len(self.log.bounds)) if not self._is_met(number)]

    def _is_met(self, number: int) -> bool:
        if not self.log.lines[number].strip():
            return True
        cuts = self._cuts(number)
        if number in self.log.broken or cuts:
            stretch = self.log.beside(number)
            is_met = any(version.holds(*stretch) for version in self.read)
        else:
            is_met = any(self._holds_in_place(version, number) for version in self.read)
        equal = self.log.equal_to(number)
        if len(equal) > 1:
            return is_met and any(all(version.holds(*self.log.bounds[n]) for n in equal) for version in self.read)
        return is_met or (self.log.is_request(number) and len(cuts) == 1 and self._is_met_in_parts(cuts.pop()))

    def _cuts(self, number: int) -> set[int]:
        """The places within a line at which some file may have ended or begun."""
        first, last = self.log.bounds[number]
        return {cut for version in self.versions for cut in (version.start, version.end) if first < cut < last}

    def _is_met_in_parts(self, cut: int) -> bool:
        return any(version.end == cut for version in self.read) and any(version.start == cut for version in self.read)

    def _holds_in_place(self, version: Version, number: int) -> bool:
        """Whether a file holds a line, and nothing beside it that is not beside it in the true log."""
        first, last = self.log.bounds[number]
        is_after_another = first in {start for start, _ in version.spans[1:]}
        is_before_another = last in {end for _, end in version.spans[:-1]}
        return version.holds(first, last) and not is_after_another and not is_before_another


STEPS: dict[str, Callable[[Site, Step], bool]] = {
    "append": Site.append,
    "rotate": Site.rotate,
    "copy and truncate": Site.copy_and_truncate,
    "rewrite shorter": Site.rewrite_shorter,
    "pack": Site.pack,
    "delete": Site.delete,
    "deliver again": Site.deliver_again,
    "deliver a cut": Site.deliver_cut,
    "fill a gap": Site.fill_a_gap,
    "upload in two halves": Site.upload_in_two_halves,
    "shrink and grow again": Site.shrink,
}
WHENS = ("before reading", "after listing", "between files")


def catch_up(sites: Sequence[Site]) -> None:
    """Deliver what is missing, at last: the stretch from the first line missing to the last of each site."""
    for site in sites:
        missing = site.missing_lines()
        if missing:
            site.done["catches up"] += 1
            first, last = missing[0], missing[-1]
            site.deliver(((site.log.beside(first)[0], site.log.beside(last)[1]),))

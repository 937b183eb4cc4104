"""Lines a second from a combined file to published `requests`, beside GoAccess and plain lower bounds, in one run.

Run with `make bench`. All read the file from the page cache; peak memory is that of one process. Each run fills a
warehouse made anew; of repeats the best counts. The file has 10,000 user agents, 200,000 addresses and 50,000 paths,
and one line in twenty holds an escaped quote. JSON lines are the same requests as the documented JSON line.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_MAKE = """
import sys
from pathlib import Path
from pipeline.demo.bulk import write_log
variety = {"user_agents": 10_000, "addresses": 200_000, "paths": 50_000, "exact_share": 0.05}
write_log(Path(sys.argv[1]), int(sys.argv[2]), is_json=len(sys.argv) > 3, **variety)
"""
_TRAIL = """
import sys, time
from pathlib import Path
from pipeline.build import build_requests, stale_days
from pipeline.ingest import ingest
from pipeline.settings import Settings
from pipeline.warehouse import open_run
settings = Settings(landing=Path(sys.argv[1]), warehouse=Path(sys.argv[2]))
started = time.perf_counter()
with open_run(settings) as run:
    ingest(run, settings)
    read = time.perf_counter()
    rows = build_requests(run, settings, stale_days(run, "requests"))
    run.publish()
done = time.perf_counter()
print(sum(rows.values()), round(read - started, 3), round(done - read, 3))
"""
_MOST_JSON_LINES = 5_000_000
_MOST_GOACCESS_LINES = 5_000_000  # it took nine minutes for these
_ARROW = """
import sys
import pyarrow as pa
import pyarrow.csv
text = pa.dictionary(pa.int32(), pa.string())
names = ["ip", "ident", "user", "clock", "zone", "request", "status", "bytes", "referrer", "agent"]
rows = 0
reader = pyarrow.csv.open_csv(
    sys.argv[1],
    read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=8 << 20),
    parse_options=pyarrow.csv.ParseOptions(delimiter=" ", double_quote=False, invalid_row_handler=lambda row: "skip"),
    convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, text)),
)
for batch in reader:
    rows += batch.num_rows
print(rows)
"""


@dataclass
class Measured:
    """The best of some runs."""

    seconds: float = float("inf")
    memory_mb: float = 0.0
    printed: str = ""


def measure(command: list[str]) -> Measured:
    """Run a command; its peak memory is its own, not that of its children.

    Raises:
        SystemExit: it failed.
    """
    before = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        printed = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Measured(time.perf_counter() - before, usage.ru_maxrss / 1000, printed)


def main() -> None:
    """Measure each size, print a table for each. The largest is there for growth: it runs once, and only Trail."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, nargs="+", default=[1_000_000, 5_000_000, 20_000_000])
    arguments.add_argument("--repeat", type=int, default=2)
    arguments.add_argument("--without-goaccess", action="store_true", help="it takes minutes for millions of lines")
    chosen = arguments.parse_args()
    print(f"{os.cpu_count()} cores")
    for lines in chosen.lines:
        with tempfile.TemporaryDirectory(prefix="trail-bench-") as name:
            with_goaccess = not chosen.without_goaccess and lines <= _MOST_GOACCESS_LINES
            _measure_size(Path(name), lines, chosen.repeat if lines <= _MOST_JSON_LINES else 1, with_goaccess)


def _measure_size(folder: Path, lines: int, repeat: int, with_goaccess: bool) -> None:
    log = folder / "plain" / "web" / "access.log"
    log.parent.mkdir(parents=True)
    # In a process of its own: what this one holds counts as its children's peak.
    subprocess.run([sys.executable, "-c", _MAKE, str(log), str(lines)], check=True)
    as_json = folder / "json" / "web" / "access.json"
    as_json.parent.mkdir(parents=True)
    if lines <= _MOST_JSON_LINES:
        subprocess.run([sys.executable, "-c", _MAKE, str(as_json), str(lines), "json"], check=True)
    packed = folder / "packed" / "web" / "access.log.gz"
    packed.parent.mkdir(parents=True)
    with packed.open("wb") as file:
        subprocess.run(["gzip", "-6", "-c", str(log)], stdout=file, check=True)
    size, gzipped = log.stat().st_size, packed.stat().st_size
    print(f"\n{lines:,} lines, {size / 1e6:,.0f} MB ({gzipped / 1e6:,.0f} MB gzipped)")
    print(f"{'':<34}{'seconds':>9}{'lines/s':>12}{'peak MB':>9}")
    best = {}
    for tool, command in _commands(folder, log, packed, with_goaccess):
        best[tool] = Measured()
        for _ in range(1 if tool == "goaccess" else repeat):
            for warehouse in folder.glob("warehouse-*"):
                shutil.rmtree(warehouse)
            found = measure(command)
            best[tool] = min(best[tool], found, key=lambda measured: measured.seconds)
        found = best[tool]
        print(f"{tool:<34}{found.seconds:>9.2f}{lines / found.seconds:>12,.0f}{found.memory_mb:>9.0f}", flush=True)
        if tool.startswith("trail"):
            _print_trail(folder, found, lines, gzipped)
    if "trail, JSON lines" in best:
        print(f"JSON lines take {best['trail, JSON lines'].seconds / best['trail'].seconds:.1f} times as long as text")
    if "goaccess" in best:
        print(f"trail does {best['goaccess'].seconds / best['trail'].seconds:.1f} times the lines a second of goaccess")


def _print_trail(folder: Path, found: Measured, lines: int, gzipped: int) -> None:
    rows, reading, enriching = found.printed.split()
    assert int(rows) == lines, "every line must have become a request"
    print(f"  {reading} s text to raw_requests, {enriching} s raw_requests to published requests")
    (warehouse,) = folder.glob("warehouse-*")
    for table in ("raw_requests", "requests"):
        stored = sum(path.stat().st_size for path in (warehouse / table).rglob("date=*/*.parquet"))
        print(f"  {table}: {stored / lines:.1f} bytes a request, {stored / gzipped:.2f} of the gzip")


def _commands(folder: Path, log: Path, packed: Path, with_goaccess: bool) -> list[tuple[str, list[str]]]:
    python = [sys.executable, "-c"]
    found = [
        ("wc -l", ["wc", "-l", str(log)]),
        ("gzip -dc", ["sh", "-c", 'gzip -dc "$1" >/dev/null', "sh", str(packed)]),
        ("pyarrow's CSV reader alone", [*python, _ARROW, str(log)]),
        ("trail", [*python, _TRAIL, str(folder / "plain"), str(folder / "warehouse-plain")]),
        ("trail, gzipped", [*python, _TRAIL, str(folder / "packed"), str(folder / "warehouse-packed")]),
    ]
    if any((folder / "json" / "web").iterdir()):
        command = [*python, _TRAIL, str(folder / "json"), str(folder / "warehouse-json")]
        found.append(("trail, JSON lines", command))
    if with_goaccess and shutil.which("goaccess"):
        report = str(folder / "report.json")
        command = ["goaccess", str(log), "--log-format=COMBINED", "--no-global-config", "--no-progress", "-o", report]
        found.append(("goaccess", command))
    elif with_goaccess:
        print("goaccess is not installed: measured without it", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()

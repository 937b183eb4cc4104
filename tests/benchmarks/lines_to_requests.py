"""Lines a second from a combined file to published `requests`, beside GoAccess on the same file, in one run.

Run with `make bench`. Both read the file from the page cache; peak memory is that of the whole process tree.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_MAKE = """
import sys
from pathlib import Path
from pipeline.demo.bulk import write_combined
write_combined(Path(sys.argv[1]), int(sys.argv[2]))
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


def measure(command: list[str], output: Path | None = None) -> tuple[float, float, str]:
    """Run a command; return seconds, peak memory in MB of it and its children, and what it printed."""
    before = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        printed = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - before
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    if output is not None and not output.exists():
        raise SystemExit(f"{command[0]} wrote nothing")
    return seconds, usage.ru_maxrss / 1000, printed


def main() -> None:
    """Make the file, run all, print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=3)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="trail-bench-") as name:
        folder = Path(name)
        log = folder / "landing" / "web" / "access.log"
        log.parent.mkdir(parents=True)
        # In a process of its own: what this one holds counts as its children's peak.
        subprocess.run([sys.executable, "-c", _MAKE, str(log), str(chosen.lines)], check=True)
        size = log.stat().st_size
        subprocess.run(["gzip", "-6", "-k", str(log)], check=True)
        packed = log.with_name("access.log.gz").rename(folder / "access.log.gz")
        gzipped = packed.stat().st_size
        print(f"{chosen.lines:,} lines, {size / 1e6:.0f} MB ({gzipped / 1e6:.0f} MB gzipped), {os.cpu_count()} cores")
        best: dict[str, tuple[float, float]] = {}
        steps = ""
        for _ in range(chosen.repeat):
            for tool, command, output in _commands(folder, log):
                if output is not None and output.is_dir():
                    shutil.rmtree(output)
                seconds, memory, printed = measure(command, output)
                if tool == "trail" and (tool not in best or seconds < best[tool][0]):
                    steps = printed
                if tool not in best or seconds < best[tool][0]:
                    best[tool] = (seconds, memory)
        rows, reading, enriching = steps.split()
        assert int(rows) == chosen.lines, "every line must have become a request"
        stored = {
            table: sum(path.stat().st_size for path in (folder / "warehouse" / table).rglob("*.parquet"))
            for table in ("raw_requests", "requests")
        }
        print(f"{'':<34}{'seconds':>9}{'lines/s':>12}{'peak MB':>9}")
        for tool, (seconds, memory) in best.items():
            print(f"{tool:<34}{seconds:>9.2f}{chosen.lines / seconds:>12,.0f}{memory:>9.0f}")
        print(f"of trail: {reading} s text to raw_requests, {enriching} s raw_requests to published requests")
        for table, stored_bytes in stored.items():
            print(
                f"{table}: {stored_bytes / chosen.lines:.1f} bytes a request, {stored_bytes / gzipped:.2f} of the gzip"
            )
        if "goaccess" in best:
            print(f"trail does {best['goaccess'][0] / best['trail'][0]:.1f} times the lines a second of goaccess")


def _commands(folder: Path, log: Path) -> list[tuple[str, list[str], Path | None]]:
    found: list[tuple[str, list[str], Path | None]] = [
        ("wc -l", ["wc", "-l", str(log)], None),
        (
            "trail",
            [sys.executable, "-c", _TRAIL, str(folder / "landing"), str(folder / "warehouse")],
            folder / "warehouse",
        ),
    ]
    if shutil.which("goaccess"):
        report = folder / "report.json"
        goaccess = ["goaccess", str(log), "--log-format=COMBINED", "--no-global-config", "-o", str(report)]
        found.append(("goaccess", goaccess, report))
    else:
        print("goaccess is not installed: measured without it", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()

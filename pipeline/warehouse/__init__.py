"""Files, publishing, snapshots, connect(): how tables are kept so that a reader never sees half of a run.

What the tables hold does not belong here.
"""

from pipeline.warehouse.files import SchemaError
from pipeline.warehouse.lock import LockTimeoutError
from pipeline.warehouse.reader import StagedState, connect, live_files, published_mark
from pipeline.warehouse.run import Run, open_run
from pipeline.warehouse.sweep import sweep
from pipeline.warehouse.views import lock_down

__all__ = [
    "LockTimeoutError",
    "Run",
    "SchemaError",
    "StagedState",
    "connect",
    "live_files",
    "lock_down",
    "open_run",
    "published_mark",
    "sweep",
]

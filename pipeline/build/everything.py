"""All that is stale, built in one run: for those who change what lies below and publish it with all that follows.

Day by day, and what each step reports, is the orchestrator's; it does the same in the same order.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.build.requests import build_requests
from pipeline.build.stale import INPUTS, WHOLE_INPUTS, find_stale, is_whole_stale, stale_days, stale_whole
from pipeline.build.tables import build_days, build_whole
from pipeline.schemas import TABLES
from pipeline.warehouse import Run

_BEFORE_ACTS = "identifier_links"
_MOST_ROUNDS = 10


def bring_up_to_date(
    run: Run, progress: Callable[[str], None] | None = None, with_product: bool = True, until: str | None = None
) -> None:
    """Build every stale day of every table, and the tables that are not by day.

    Args:
        run: an open run; the caller stages or publishes.
        progress: is told of each day in a sentence.
        with_product: whether to build the product team's tables, too.
        until: the last table by day to be built, and none that follows; all where None.

    Raises:
        RuntimeError: days stay stale however often they are built.
    """
    tables = [name for name in INPUTS if with_product or TABLES[name].layer != "product"]
    tables = tables[: tables.index(until) + 1] if until else tables
    whole = [name for name in WHOLE_INPUTS if until is None and (with_product or TABLES[name].layer != "product")]
    for _ in range(_MOST_ROUNDS):
        for name in tables:
            if name == "requests":
                build_requests(run, run.settings, stale_days(run, name), progress)
                continue
            if name == "acts":
                build_whole(run, _BEFORE_ACTS)
            build_days(run, name, stale_days(run, name), progress)
        for name in whole:
            build_whole(run, name)
        if not (find_stale(run).keys() & set(tables)) and not any(is_whole_stale(run, name) for name in whole):
            return
    raise RuntimeError(f"tables stay stale after they were built: {', '.join([*find_stale(run), *stale_whole(run)])}")

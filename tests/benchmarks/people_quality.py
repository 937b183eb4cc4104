"""How well people are told apart: links and visits of the demo against its truth, by scenario, as the README's table.

`make quality` prints it. What the rules must do exactly is in `tests/demo` and `tests/models`; here is their worth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from assets.launch import run_everything
from pipeline.demo import make_demo
from pipeline.settings import load_settings
from pipeline.warehouse import connect

_MATCHED = """
create temp table matched as
select
    any_value(truth.scenario) as scenario,
    any_value(truth.true_user) as true_user,
    any_value(coalesce(truth.visitor_cookie, truth.user_agent)) as true_device,
    clickstream.request_id,
    any_value(clickstream.occurred_at) as occurred_at,
    any_value(requests.user_id) as line_user,
    any_value(requests.business_id) as line_business,
    any_value(clickstream.user_id) as user_id,
    any_value(clickstream.visit_seq) as visit_seq
from clickstream
inner join requests on requests.date = clickstream.date and requests.request_id = clickstream.request_id
inner join true_requests as truth
    on truth.source = requests.source and truth.occurred_at = requests.occurred_at and truth.ip = requests.ip
    and truth.method = requests.method and truth.status = requests.status
    and truth.target = requests.path || coalesce('?' || requests.query, '')
    and truth.user_agent = coalesce(requests.user_agent, '')
where not truth.is_bot and truth.scenario <> 'site'
group by clickstream.request_id
"""
# A person's visits: their acts at one device for one Business, cut where nothing happens for over half an hour. Acts
# whose line names no Business are for that of the line before that names one, else of the line after.
_TRUE_STARTS = """
create temp table judged as
with placed as (
    select *,
        coalesce(
            last_value(line_business ignore nulls) over (
                partition by true_user, true_device order by occurred_at, request_id
                rows between unbounded preceding and current row),
            first_value(line_business ignore nulls) over (
                partition by true_user, true_device order by occurred_at, request_id
                rows between current row and unbounded following)
        ) as business
    from matched
),
ordered as (
    select *, lag(occurred_at) over person as previous_at
    from placed
    window person as (partition by true_user, true_device, business order by occurred_at, request_id)
)
select *,
    true_user is not null and (previous_at is null or occurred_at - previous_at > interval 30 minutes) as is_true_start
from ordered
"""
_COUNTED = """
select scenario,
    count(*) filter (where true_user is not null) as acts,
    count(*) filter (where true_user is not null and line_user is null) as unnamed,
    count(*) filter (where user_id is not null and line_user is null) as linked,
    count(*) filter (where user_id = true_user and line_user is null) as linked_rightly,
    count(*) filter (where is_true_start) as true_starts,
    count(*) filter (where visit_seq = 1 and true_user is not null) as found_starts,
    count(*) filter (where visit_seq = 1 and is_true_start) as starts_rightly
from judged
group by rollup (scenario)
order by scenario nulls last
"""


@dataclass(frozen=True)
class Quality:
    """What was found of a scenario; shares are None where there is nothing to have a share of.

    Attributes:
        scenario: its name; None for all together.
        acts: made by people who have an account.
        unnamed: of these, acts whose line names no user.
        linked: acts whose line names no user and that were given to one.
        linked_rightly: of these, to the right one.
        true_starts: visits that there truly were.
        found_starts: visits found to begin at an act of a person with an account.
        starts_rightly: of these, at the right act.
    """

    scenario: str | None
    acts: int
    unnamed: int
    linked: int
    linked_rightly: int
    true_starts: int
    found_starts: int
    starts_rightly: int

    @property
    def shares(self) -> tuple[float | None, ...]:
        """Precision and recall of links, precision and recall of where visits begin."""
        pairs = (
            (self.linked_rightly, self.linked),
            (self.linked_rightly, self.unnamed),
            (self.starts_rightly, self.found_starts),
            (self.starts_rightly, self.true_starts),
        )
        return tuple(part / whole if whole else None for part, whole in pairs)


def measure(connection: duckdb.DuckDBPyConnection, truth: Path) -> list[Quality]:
    """Compare what was published with the demo's truth.

    Args:
        connection: with the demo's tables as views.
        truth: the folder of the demo's truth.

    Returns:
        A row for each scenario, and one for all.
    """
    connection.read_parquet(str(truth / "requests.parquet")).create_view("true_requests", replace=True)
    for statement in (_MATCHED, _TRUE_STARTS):
        connection.execute(statement)
    return [Quality(*row) for row in connection.execute(_COUNTED).fetchall()]


def table(found: Sequence[Quality]) -> str:
    """The README's table, in Markdown."""
    head = "| scenario | acts | named by no line | links: precision | recall | visits: precision | recall |"
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|"]
    for row in found:
        counts = f"{row.scenario or 'all'} | {row.acts:,} | {row.unnamed:,}"
        lines.append(f"| {counts} | {' | '.join(_share(share) for share in row.shares)} |")
    return "\n".join(lines)


def _share(share: float | None) -> str:
    """Three digits, cut and not rounded, so that 1.000 is all of them."""
    return "" if share is None else f"{int(share * 1000) / 1000:.3f}"


def main() -> None:
    """Make the demo, run everything on it, print the table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = make_demo(Path(folder))
        settings = load_settings(paths.config, {})
        run_everything(settings, paths.config)
        with connect(settings) as connection:
            print(table(measure(connection, paths.truth)))


if __name__ == "__main__":
    main()

"""How many people or visits got how far through steps: the catalogue's funnels, asked of any features or patterns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from secrets import token_hex
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.features import Catalogue, Feature, Funnel, catalogue_of
from pipeline.features.funnels import FunnelError, read_per, read_steps, read_within, step_rows
from pipeline.features.patterns import PATTERN_KEYS, PatternError, read_pattern
from pipeline.models import ask_model
from pipeline.product.rows import ALWAYS, QuestionError
from pipeline.settings import Settings, load_settings
from pipeline.units import scopes

Step = str | Mapping[str, Any]
_ASKED = "asked"
_ACTS_AT_ONCE = 1_000_000


def funnel(
    connection: duckdb.DuckDBPyConnection,
    steps: Sequence[Step],
    per: str = "person",
    within: str | None = "7 days",
    business: str | None = None,
    first: date | None = None,
    last: date | None = None,
    settings: Settings | None = None,
) -> duckdb.DuckDBPyRelation:
    """Tell how many people or visits got how far through steps, how long it took, and where others went instead.

    Args:
        connection: what `connect()` gives.
        steps: two to ten, in order: names of the catalogue's features, or patterns as in the catalogue, such as
            `{"route": "/login"}`. One may come again.
        per: whose acts make one way through: a `person`'s or a `visit`'s.
        within: the longest from the first step to the last, such as `7 days`; per visit None is as long as it takes.
        business: acts in this Business only.
        first: acts of this UTC day and later.
        last: acts of this UTC day and earlier; what came next in a visit may be of the day after.
        settings: those that name the catalogue; read as `connect()` does by default.

    Returns:
        As the table `funnels`, in order: a row for each step, whose `funnel` is `asked` and `feature` the step's name,
        of scope `all`. Of a Business scope is `business`, and there is no row where nobody did any step in it.

    Raises:
        QuestionError: a step is no feature or pattern, or something else is not what it may be.
    """
    known = {feature.name: feature for feature in catalogue_of(settings or load_settings()).features}
    named = [step if isinstance(step, str) else _feature(step) for step in steps]
    known |= {step.name: step for step in named if isinstance(step, Feature)}
    asked = _read([step if isinstance(step, str) else step.name for step in named], list(known), per, within)
    only = (
        {"clickstream": "select * from main.clickstream where business_id = $business"} if business is not None else {}
    )
    asked_of = {
        "first_day": first or ALWAYS[0],
        "last_day": last or ALWAYS[1],
        "day_after": _day_after(last),
        "business": business,
        "steps": len(asked.steps),
    }
    # Of features that are no step here it need not be known which acts they claim.
    references = {
        "feature_rules": Catalogue([known[step] for step in asked.steps]).rules,
        "funnel_steps": step_rows([asked]),
        "scopes": scopes("all" if business is None else "business"),
    }
    asking = partial(ask_model, connection, settings=Settings(), references=references)
    with _kept(connection, "step_acts") as acts, _kept(connection, "funnel_ways") as ways:
        asking("step_acts", asked_of, given=only).create(acts)
        given = keep_ways(connection, ways, Settings(), references, f"main.{acts}")
        # What visits went on with costs as much as all else: it is told of the last acts of those who stopped only.
        stopped = f"select last_request_id from main.{ways} where step < $steps"  # noqa: S608 our own names
        last_acts = f"select * from main.{acts} where request_id in ({stopped})"  # noqa: S608 our own names
        with _kept(connection, "funnel_acts") as nexts:
            asking("funnel_acts", asked_of, given={**only, "step_acts": last_acts}).create(nexts)
            given["funnel_acts"] = _with_nexts(acts, nexts)
            rows = asking("funnels", {}, given=given, order_by=["step"]).to_arrow_table()
    return connection.from_arrow(rows)


def _with_nexts(acts: str, nexts: str) -> str:
    """Put to acts that are steps what came next, where that is known."""
    return f"""
        select acts.*, nexts.next_at, nexts.next_route, nexts.next_event
        from main.{acts} as acts
        left join main.{nexts} as nexts
            on nexts.request_id = acts.request_id and nexts.funnel = acts.funnel and nexts.step = acts.step
    """  # noqa: S608 our own names


@contextmanager
def _kept(connection: duckdb.DuckDBPyConnection, of: str) -> Iterator[str]:
    """Name a table as no other is named, since several questions may be asked at once; drop it in the end."""
    name = f"{of}_{token_hex(8)}"
    try:
        yield name
    finally:
        connection.execute(f"drop table if exists {name}")


def keep_ways(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    settings: Settings,
    references: Mapping[str, pa.Table] | None = None,
    acts: str = "main.funnel_acts",
    acts_at_once: int = _ACTS_AT_ONCE,
) -> dict[str, str]:
    """Make the step `funnel_ways` for some people after others, so that memory is bounded by acts at once, not by all.

    Args:
        connection: with the acts as a view or table.
        name: of the table that is made, and stays on the connection.
        settings: those that name the catalogue.
        references: rows in place of those that the catalogue gives, as for `ask_model`.
        acts: what holds rows of `funnel_acts`.
        acts_at_once: about how many acts may be looked at together.

    Returns:
        What stands for `funnel_ways` and `funnel_acts` where `funnels` is asked.
    """
    for place, some in enumerate(_parts(connection, acts, acts_at_once)):
        ways = ask_model(connection, "funnel_ways", {}, settings, {"funnel_acts": some}, references)
        if place:
            ways.insert_into(name)
        else:
            ways.create(name)
    return {"funnel_ways": f"from main.{name}", "funnel_acts": f"from {acts}"}


def _parts(connection: duckdb.DuckDBPyConnection, acts: str, acts_at_once: int) -> Iterator[str]:
    """Give acts of some people after others; put in the order of parts once, each is read without the others."""
    ((count,),) = connection.sql(f"select count(*) from {acts}").fetchall()  # noqa: S608 our own names
    parts = count // acts_at_once + 1
    if parts == 1:
        yield f"from {acts}"
        return
    with _kept(connection, "funnel_parts") as table:
        # A visit is one person's, so that it is in one part whatever the funnel counts.
        connection.execute(
            f"create table {table} as"  # noqa: S608 our own names
            f" select *, hash(coalesce(user_id, visitor_id)) % $parts as part from {acts} order by part",
            {"parts": parts},
        )
        for part in range(parts):
            yield f"select * exclude (part) from main.{table} where part = {part}"  # noqa: S608 our own names


def _read(steps: list[str], features: list[str], per: str, within: str | None) -> Funnel:
    try:
        return Funnel(_ASKED, _ASKED, _ASKED, read_steps(steps, features), read_within(within, read_per(per)), per)
    except FunnelError as error:
        raise QuestionError(str(error)) from error


def _feature(step: Mapping[str, Any]) -> Feature:
    """Make a pattern a feature of no catalogue, named after what it takes."""
    for key in step:
        if key not in PATTERN_KEYS:
            raise QuestionError(f"step {dict(step)!r} has {key!r}; a pattern has {', '.join(PATTERN_KEYS)}")
    try:
        pattern = read_pattern(step)
    except PatternError as error:
        raise QuestionError(f"step {step!r}: {error}") from error
    name = ", ".join(f"{key} {_listed(step[key])}" for key in PATTERN_KEYS if key in step)
    return Feature(name, name, name, "", (pattern,))


def _listed(said: Any) -> str:
    return " or ".join(sorted(map(str, said))) if isinstance(said, list) else str(said)


def _day_after(last: date | None) -> date:
    return ALWAYS[1] if last in (None, ALWAYS[1]) else last + timedelta(days=1)

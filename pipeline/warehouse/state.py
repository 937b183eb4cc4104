"""The two small files that name a whole state: `staged`, where writers go on, and `published`, for readers.

What a table's version holds is in its Delta log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.warehouse.files import replace_atomically

STAGED, PUBLISHED = "_staged.json", "_published.json"


@dataclass
class State:
    """A state of the warehouse.

    Attributes:
        versions: the Delta version of each table that has one.
        facts: what the writers noted of it, such as what each day was built from; a fact may be a mapping by table.
    """

    versions: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def read_state(warehouse: Path, name: str) -> State:
    """Read a state; an empty one where none was ever written."""
    try:
        loaded = json.loads((warehouse / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return State()
    return State(loaded["versions"], loaded.get("facts", {}))


def forget(facts: dict[str, Any], table: str) -> None:
    """Drop what facts say by table of a table that begins anew."""
    for fact in facts.values():
        if isinstance(fact, dict):
            fact.pop(table, None)


def write_state(warehouse: Path, name: str, state: State) -> None:
    """Replace a state at once."""
    content = {"versions": state.versions, "facts": state.facts}
    replace_atomically(warehouse / name, json.dumps(content, sort_keys=True, separators=(",", ":")))

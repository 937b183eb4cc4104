"""How templates become pages: everything is escaped, and a name that is not given is an error.

The templates themselves, and what they are given, belong to the rooms that make pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def template_environment(package: str, filters: Mapping[str, Any]) -> Environment:
    """Make an environment for a room's templates.

    Args:
        package: the room, with a folder `templates`.
        filters: functions that templates may use, by name.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment

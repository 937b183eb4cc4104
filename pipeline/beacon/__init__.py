"""The script for pages, `trail.js`: it tells the web server's own log what the server cannot see.

What its reports mean is in `sql/page_reports.sql`.
"""

from importlib.resources import files


def script() -> str:
    """The text of `trail.js`."""
    return files(__name__).joinpath("trail.js").read_text(encoding="utf-8")

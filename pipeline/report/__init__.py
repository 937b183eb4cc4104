"""The weekly page for people who do not run notebooks: a week beside the week before, in one HTML file.

Here belongs what the page says of a week and how it is drawn. What a number means does not: each is asked of a table,
or of a function of `product` or `lookup`. No user is in it, since it is handed around: people are counted, fewer than
five are not told apart, and a route that fewer than five users met is not named.
"""

from pipeline.report.folder import due_weeks, write_due
from pipeline.report.numbers import gather
from pipeline.report.page import make_page, write_page
from pipeline.report.weeks import Week, last_whole_week, log_days

__all__ = [
    "Week",
    "due_weeks",
    "gather",
    "last_whole_week",
    "log_days",
    "make_page",
    "write_due",
    "write_page",
]

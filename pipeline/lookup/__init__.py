"""Find a user, a visit, a request's story: what support and engineers ask, as plain functions on a connection.

How an answer is shown does not belong here; the command line and the page share these functions.
"""

from pipeline.lookup.affected import in_common, who_met
from pipeline.lookup.beside import healthy_visit
from pipeline.lookup.questions import Met, Period, QuestionError, read_met, read_period
from pipeline.lookup.requests import request_story
from pipeline.lookup.routes import failing_routes, slow_routes
from pipeline.lookup.scope import open_scope
from pipeline.lookup.search import find_users
from pipeline.lookup.traces import requests_of_reference, users_at
from pipeline.lookup.users import user_story
from pipeline.lookup.visits import visit_story

__all__ = [
    "Met",
    "Period",
    "QuestionError",
    "failing_routes",
    "find_users",
    "healthy_visit",
    "in_common",
    "open_scope",
    "read_met",
    "read_period",
    "request_story",
    "requests_of_reference",
    "slow_routes",
    "user_story",
    "users_at",
    "visit_story",
    "who_met",
]

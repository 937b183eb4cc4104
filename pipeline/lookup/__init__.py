"""Find a user, a visit, a request's story: what support and engineers ask, as plain functions on a connection.

How an answer is shown does not belong here; the command line and the page share these functions.
"""

from pipeline.lookup.requests import request_story
from pipeline.lookup.scope import open_scope
from pipeline.lookup.search import find_users
from pipeline.lookup.users import user_story
from pipeline.lookup.visits import visit_story

__all__ = ["find_users", "open_scope", "request_story", "user_story", "visit_story"]

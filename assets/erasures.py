"""What is erased for good: what Businesses asked for and somebody confirmed, and users who are too young."""

import logging
from typing import Any

import dagster as dg

from pipeline.privacy import erase_waiting
from pipeline.settings import load_settings

_LOG = logging.getLogger("trail")


@dg.asset(name="erasures", group_name="privacy", kinds={"json"})
def erasures() -> dg.MaterializeResult[Any]:
    """Erase whom it waits for, prove that nothing is left, and write the certificate."""
    done = erase_waiting(load_settings(), _LOG.info)
    told = {"number": done["number"], "subjects": sum(done["subjects"].values())} if done else {}
    return dg.MaterializeResult(metadata={"made": bool(done), **told})

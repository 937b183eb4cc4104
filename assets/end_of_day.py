"""What ends the day: what is to be erased is erased for good, and what is left is backed up."""

import logging
from typing import Any

import dagster as dg

from pipeline.privacy import erase_waiting
from pipeline.privacy.backup import back_up, newest_restores
from pipeline.settings import load_settings

_LOG = logging.getLogger("trail")


@dg.asset(name="erasures", group_name="privacy", kinds={"json"})
def erasures() -> dg.MaterializeResult[Any]:
    """Erase whom it waits for, prove that nothing is left, and write the certificate."""
    done = erase_waiting(load_settings(), _LOG.info)
    told = {"number": done["number"], "subjects": sum(done["subjects"].values())} if done else {}
    return dg.MaterializeResult(metadata={"made": bool(done), **told})


@dg.asset(name="backups", group_name="privacy", kinds={"restic"}, deps=["erasures"])
def backups() -> dg.MaterializeResult[Any]:
    """Back up what readers see, where a place for backups is configured."""
    settings = load_settings()
    if settings.backup is None:
        return dg.MaterializeResult(metadata={"made": False})
    done = back_up(settings, progress=_LOG.info)
    return dg.MaterializeResult(metadata={"made": True, **done})


@dg.asset_check(asset="backups", description=newest_restores.__doc__)
def newest_backup_restores() -> dg.AssetCheckResult:
    """Restore the newest backup to a folder that goes again."""
    settings = load_settings()
    if settings.backup is None:
        return dg.AssetCheckResult(passed=True, description="no place for backups is configured")
    found = newest_restores(settings)
    return dg.AssetCheckResult(passed=found.passed, description=found.description, metadata=dict(found.numbers))

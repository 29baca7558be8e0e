"""From a submission as it was typed to the specification that is submitted in its place."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from roar_core.errors import RoarError
from roar_osmo.client import Osmo, OsmoError
from roar_osmo.command_line import Submission
from roar_osmo.rewrite import Rewritten, rewritten, treatments_of
from roar_osmo.settings import Settings
from roar_osmo.workflow import specification_in


class Prepared(NamedTuple):
    """What to submit, and what could not be done as it was asked for, empty when all was."""

    rewritten: Rewritten
    problem: str


def prepared(
    submission: Submission, osmo: Osmo, cwd: Path, settings: Settings, session: str = ""
) -> Prepared:
    """Have the server render the file, and put its tasks under the launcher; raises RoarError.

    With the text of a fragment session, what they did comes back by it where nothing else is asked.
    """
    file = cwd / submission.file
    if not file.is_file():
        raise RoarError(f"{submission.file!r} is no file; name the workflow's own file")
    workflow = specification_in(osmo.text(*submission.dry_run()[1:]), submission.file)
    problem = ""
    treatments = treatments_of(workflow, settings, by_registry=bool(session))
    if any(each.returned_by == "output" for each in treatments):
        problem = _problem_of_bucket(osmo, settings.bucket)
        if problem:
            settings = settings._replace(returned_by="logs")
    return Prepared(rewritten(workflow, settings, file.parent, session), problem)


def _problem_of_bucket(osmo: Osmo, bucket: str) -> str:
    """Why tasks cannot write there: OSMO fails a task one of whose outputs it may not write to."""
    try:
        told = osmo.document("status", "data", "check", bucket, "--access-type", "WRITE")
    except OsmoError as error:
        return f"osmo.bucket is not used: {error}"
    if told.get("status") == "pass":
        return ""
    return f"osmo.bucket is not used: OSMO may not write to {bucket}: {told.get('error') or told}"

"""How a reading command gets at what was recorded: the project around it and its database.

A roar that was killed leaves a job *running* that nobody will ever complete. The next command,
whichever it is, completes it from its journal first, so that no answer rests on half a record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from roar_core.cli import output
from roar_core.errors import RoarError
from roar_core.project import Project, existing_project, working_directory
from roar_core.store.database import Database
from roar_core.store.owner import OWNER_COLUMNS, owner_from_row

D = TypeVar("D", bound=Database)


@contextmanager
def open_project(face: type[D]) -> Iterator[tuple[Project, D]]:
    """The project around the working directory and its database, opened to read, closed at the end.

    `face` is how much of the store the command needs: `Database` for SQL alone, `Queries` for the
    model's values, whose import takes as long as everything else together. Raises `NotFoundError`
    when nothing was recorded here, `DatabaseError` when the database is unusable.
    """
    project = existing_project(working_directory())
    database = face.open(project.roar_dir, read_only=True)
    try:
        if os.access(project.database, os.W_OK) and has_orphans(database):
            database.close()
            try:
                _recover(project)
            except (
                RoarError
            ) as error:  # a full disk, a broken configuration: what is there is shown
                output.warn(f"a job whose roar ended is not completed yet: {error}")
            database = face.open(project.roar_dir, read_only=True)
        yield project, database
    finally:
        database.close()


def has_orphans(database: Database) -> bool:
    """Whether a job is *running* whose roar has ended."""
    with database.reading() as db:
        rows = db.execute(
            f"SELECT {OWNER_COLUMNS} FROM job WHERE state = 'running'"  # noqa: S608 (a constant)
        ).fetchall()
    if not rows:
        return False
    from roar_core.store.filesystem import is_networked

    is_shared = is_networked(database.path.parent)
    return any(owner_from_row(row).is_gone(is_shared=is_shared) for row in rows)


def _recover(project: Project) -> None:
    from roar_core.run.recovery import recover_interrupted
    from roar_core.store.writer import Store

    with Store.open(project.roar_dir) as store:
        for job in recover_interrupted(project, store, output.warn):
            how = (
                "recorded as interrupted"
                if job.kind in ("get", "put")
                else "completed from its journal"
            )
            output.note(f"{job.step or job.uid[:8]} is {how}: its roar ended without recording it")

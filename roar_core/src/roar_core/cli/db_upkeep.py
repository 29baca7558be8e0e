"""`roar db prune`, `vacuum` and `export`: keep the database small, and carry a copy of it away."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.asking import agreed
from roar_core.cli.opening import open_project
from roar_core.errors import RoarError, UsageError
from roar_core.project import existing_project, working_directory

if TYPE_CHECKING:
    from roar_core.project import Project
    from roar_core.store.pruning import Pruned
    from roar_core.store.writer import Store

# A run stores its snapshot just before its first row, which would save it.
_SNAPSHOT_AGE_S = 3600
_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")


@click.command()
@click.argument("refs", nargs=-1, metavar="[JOB]…")
@click.option("--undone", is_flag=True, help="Also every job that was undone.")
@click.option("--session", type=click.IntRange(1), help="Also every job of a session before.")
@click.option("--cache", is_flag=True, help="Also the cache of digests: all is hashed again.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_as_json
def prune(
    refs: tuple[str, ...],
    undone: bool,
    session: int | None,
    cache: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete what no job needs, and the jobs that are named here, for good.

    No file of yours is touched. Jobs are named as @3, or by the beginning of their uid. It is said
    how many of them no registry has: of these nothing remains.

    Example: roar db prune --undone --dry-run
    """
    from roar_core.store.pruning import prune as delete
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        jobs = _jobs(store, project, refs, undone=undone, session=session)
    with Store.open(project.roar_dir) as store:
        plan = delete(store, jobs, project.objects, cache=cache, trial=True)
        plan = _with_old_snapshots(plan)
        is_nothing = not plan.rows and not plan.snapshots
        if not (is_nothing or dry_run):
            if not as_json:
                _print(plan)
            if not agreed("delete this for good?", yes=yes):
                output.note("nothing was deleted")
                return 1
            done = delete(store, jobs, project.objects, cache=cache)
            plan = _with_old_snapshots(done)
            for path in plan.snapshots:
                path.unlink(missing_ok=True)
    if as_json:
        from roar_core.cli.documents import document

        told = {"rows": plan.rows, "snapshots": len(plan.snapshots)}
        unregistered = list(plan.unregistered)
        output.data(document("prune", dry_run=dry_run, **told, unregistered=unregistered))
    elif is_nothing:
        output.note("there is nothing that no job needs")
    elif dry_run:
        _print(plan)
    else:
        output.note("deleted; give the room back to the disk with: roar db vacuum")
    return 0


@click.command()
@_as_json
def vacuum(as_json: bool) -> None:
    """Give the room of deleted rows back to the disk.

    Example: roar db prune -y && roar db vacuum
    """
    from roar_core.store.pruning import vacuum as give_back

    before, after = give_back(existing_project(working_directory()).database)
    if as_json:
        from roar_core.cli.documents import document

        output.data(document("vacuum", before_bytes=before, after_bytes=after))
    else:
        output.line(f"{wording.size(before)} before, {wording.size(after)} now")


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@_as_json
def export(target: Path, force: bool, as_json: bool) -> None:
    """Write a copy of the database to FILE, consistent though others record meanwhile.

    Put it into another checkout as .roar/roar.db and everything can be asked there.

    Example: roar db export ../backup.db
    """
    from roar_core.store.pruning import export as copy

    project = existing_project(working_directory())
    if target.is_dir():
        target = target / project.database.name
    path = Path(os.path.realpath(target))
    if path == project.database:
        raise UsageError("FILE is the database itself; choose another place")
    size = copy(project.database, path, force=force)
    if as_json:
        from roar_core.cli.documents import document, text

        output.data(document("database_export", path=text(str(path)), size_bytes=size))
    else:
        output.note(f"{wording.size(size)} written to {output.printable(str(path))}")


def _jobs(
    store: Store, project: Project, refs: tuple[str, ...], *, undone: bool, session: int | None
) -> list[int]:
    """The ids of the jobs that are named, none twice."""
    from roar_core.lineage.session import find_session
    from roar_core.lineage.target import find_target

    found: dict[int, None] = {}
    for ref in refs:
        target = find_target(store, ref, project)
        if target.kind != "job":
            raise UsageError(f"{ref!r} is no job; name one as @3, or by its uid")
        found |= dict.fromkeys(target.jobs)
    with store.reading() as db:
        conditions, values = [], []
        if undone:
            conditions.append("undone_at_ns IS NOT NULL")
        if session is not None:
            known = find_session(db, session)
            if known is not None and known.is_active:
                raise RoarError(
                    f"session {session} is the current one; begin another first: roar reset"
                )
            conditions.append("session = ?")
            values.append(session)
        if conditions:
            query = f"SELECT id FROM job WHERE {' OR '.join(conditions)}"  # noqa: S608 - constants
            found |= dict.fromkeys(row[0] for row in db.execute(query, values))
    return list(found)


def _with_old_snapshots(plan: Pruned) -> Pruned:
    """Without the snapshots that a run may be about to name."""
    return plan._replace(snapshots=tuple(path for path in plan.snapshots if _is_old(path)))


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _SNAPSHOT_AGE_S
    except OSError:
        return False


def _print(plan: Pruned) -> None:
    for table, number in sorted(plan.rows.items()):
        output.line(f"  {table:<18} {number:>9,}")
    if plan.snapshots:
        output.line(f"  {'snapshots':<18} {len(plan.snapshots):>9,}")
    if plan.unregistered:
        names = wording.some([wording.short_uid(uid) for uid in plan.unregistered])
        jobs = wording.count(len(plan.unregistered), "job")
        output.warn(
            f"{jobs} of these no registry is known to have: {names}; what is made of them will be"
            " told without them; to keep them, first: roar register REF, or roar export REF"
        )

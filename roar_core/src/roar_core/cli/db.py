"""`roar db`: how the session database is, and how to save what a damaged one still gives."""

from __future__ import annotations

import click

from roar_core.cli import output, wording
from roar_core.cli.db_upkeep import export, prune, vacuum
from roar_core.project import Project, existing_project, working_directory

# What a person counts by; the rest of the tables serve these.
_TABLES = ("session", "job", "artifact", "edge", "composite", "stat_cache")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_context
def db(ctx: click.Context, as_json: bool) -> None:
    """Show the size of the session database; check, recover, prune and copy it.

    Example: roar db integrity
    """
    if ctx.invoked_subcommand is None:
        _overview(as_json=as_json)


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def integrity(as_json: bool) -> int:
    """Check the database thoroughly; exit code 1 when something is wrong.

    Example: roar db integrity
    """
    from roar_core.store.integrity import check

    project = _project()
    problems = check(project.database)
    if as_json:
        from roar_core.cli.documents import document, text

        output.data(
            document(
                "integrity", path=text(str(project.database)), ok=not problems, problems=problems
            )
        )
    elif problems:
        for problem in problems:
            output.line(output.printable(problem))
        output.warn(
            "the database is damaged; keep it aside and save what can be read: roar db recover"
        )
    else:
        output.line("ok")
    return 1 if problems else 0


@db.command()
@click.option("--force", is_flag=True, help="Rebuild the database even when it is sound.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def recover(force: bool, as_json: bool) -> None:
    """Save what a damaged database still gives into a new one; the damaged one is kept aside.

    Example: roar db recover
    """
    from roar_core.store.integrity import check
    from roar_core.store.integrity import recover as rebuild

    project = _project()
    is_needed = force or bool(check(project.database))
    recovery = rebuild(project.database) if is_needed else None
    if as_json:
        from roar_core.cli.documents import document, text

        output.data(
            document(
                "recovery",
                path=text(str(project.database)),
                kept_aside=None if recovery is None else text(str(recovery.kept)),
                saved={} if recovery is None else recovery.saved,
                lost=[] if recovery is None else list(recovery.lost),
            )
        )
        return
    if recovery is None:
        output.note("the database is sound; nothing had to be done")
        return
    saved = recovery.saved
    output.line(
        f"saved {wording.count(saved.get('job', 0), 'job')},"
        f" {wording.count(saved.get('artifact', 0), 'artifact')},"
        f" {wording.count(saved.get('edge', 0), 'input and output', 'inputs and outputs')}"
    )
    for sentence in recovery.lost:
        output.line(f"lost: {output.printable(sentence)}")
    output.note(f"the damaged database is kept as {output.printable(str(recovery.kept))}")


for _command in (prune, vacuum, export):
    db.add_command(_command)


def _overview(*, as_json: bool) -> None:
    from roar_core.store.database import Database

    project = _project()
    with (
        Database.open(project.roar_dir, read_only=True) as database,
        database.reading() as connection,
    ):
        rows = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in _TABLES
        }
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    log = project.database.with_name(f"{project.database.name}-wal")
    size = project.database.stat().st_size + (log.stat().st_size if log.exists() else 0)
    if as_json:
        from roar_core.cli.documents import document, text

        output.data(
            document(
                "database",
                path=text(str(project.database)),
                size_bytes=size,
                schema_version=version,
                journal_mode=mode,
                rows=rows,
            )
        )
        return
    output.line(output.printable(str(project.database)))
    shared = "" if mode == "wal" else ": shared memory does not work on its file system"
    output.line(f"  {wording.size(size)}, schema {version}, journal mode {mode}{shared}")
    for table, number in rows.items():
        output.line(f"  {table:<11} {number:>9,}")


def _project() -> Project:
    return existing_project(working_directory())

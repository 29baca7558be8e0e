"""`roar init`: make a directory a project."""

from __future__ import annotations

from pathlib import Path

import click

from roar_core.cli import output
from roar_core.errors import UsageError
from roar_core.project import Project, initialise, recordable_project, working_directory


@click.command()
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="Directory to initialise, instead of the project around the current one.",
)
@click.option("-y", "--yes", is_flag=True, hidden=True, expose_value=False)  # of older scripts
@click.option("-n", "--no-gitignore", is_flag=True, help="Let git see .roar.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def init(path: Path | None, no_gitignore: bool, as_json: bool) -> None:
    """Make the current directory a project.

    Makes .roar, readable by you only, which tells git to ignore it; in a project it changes
    nothing. `roar run` makes .roar by itself where there is none.

    Example: roar init --path ~/work/digits
    """
    project = _project_at(_directory(path))
    is_new = initialise(project, ignored=not no_gitignore)
    _make_database(project)
    if as_json:
        from roar_core.cli.documents import document, text

        output.data(document("init", project=text(str(project.root)), created=is_new))
        return
    root = output.printable(str(project.root))
    output.note(f"{root} is now a project" if is_new else f"{root} was a project already")
    if is_new:
        output.note("record a command with: roar run <your command>")


def _directory(path: Path | None) -> Path:
    if path is None:
        return working_directory()
    try:
        resolved = path.resolve(strict=True)
    except OSError as error:
        raise UsageError(f"--path {str(path)!r}: {error.strerror}") from error
    if not resolved.is_dir():
        raise UsageError(f"--path {str(path)!r} is not a directory")
    return resolved


def _project_at(directory: Path) -> Project:
    """The git checkout around `directory`, else `directory` itself, below another project too."""
    project = recordable_project(directory)
    return project if (project.root / ".git").exists() else Project(directory)


def _make_database(project: Project) -> None:
    from roar_core.store.writer import Store

    Store.open(project.roar_dir, create=True).close()

"""`roar osmo`: what would be submitted, workflows that are there already, and waiting for tasks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roar_core.errors import RoarError, UsageError

if TYPE_CHECKING:
    from roar_osmo.settings import Settings

_AS_TYPED = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@click.group()
def osmo() -> None:
    """Workflows of OSMO: what their tasks did, as jobs with inputs and outputs.

    Submit one with: roar run osmo workflow submit FILE

    Example: roar osmo attach train-7
    """


@osmo.command(context_settings=_AS_TYPED)
@click.argument("file")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--into", type=click.Path(path_type=Path), help="Write there, not to stdout.")
def prepare(file: str, options: tuple[str, ...], into: Path | None) -> None:
    """Print the workflow that `roar run osmo workflow submit FILE` would submit.

    OPTIONS are those of `osmo workflow submit`, such as --set. Nothing is submitted, and FILE stays
    as it is. Which task gets the launcher, and how what it did comes back, is told on stderr. A
    fragment session is a secret and opened by a submission alone: what is prepared goes without.

    Example: roar osmo prepare train.yaml --into prepared.yaml --set epochs=3
    """
    from roar_osmo.client import Osmo
    from roar_osmo.command_line import understood
    from roar_osmo.preparing import prepared

    settings, cwd = _settings(), Path.cwd()
    submission = understood(("osmo", "workflow", "submit", file, *options))
    if submission is None:
        raise UsageError("an option is none of osmo workflow submit that roar knows; leave it out")
    found = prepared(submission, Osmo("osmo", cwd, settings.timeout_s), cwd, settings)
    if into is None:
        click.echo(found.rewritten.text, nl=False)
    else:
        _write(into, found.rewritten.text)
    if found.problem:
        click.echo(f"roar: {found.problem}", err=True)
    for each in found.rewritten.treatments:
        words = f"comes back by {each.returned_by}" if each.returned_by else f"not: {each.reason}"
        click.echo(f"{each.task}: {words}", err=True)


@osmo.command()
@click.argument("workflow")
def attach(workflow: str) -> None:
    """Record a workflow that was submitted without roar, or elsewhere.

    It is queried under `roar run`: the query becomes a job, and the workflow's tasks are below it,
    by what their launchers sent, or by what the specification declares.

    Example: roar osmo attach train-7
    """
    if workflow.startswith("-") or not workflow:
        raise UsageError(f"{workflow!r} is no workflow's id; osmo workflow list shows them")
    # -P: a project may have modules of our names.
    roar = [sys.executable, "-P", "-m", "roar_core", "run", "--backend", "osmo", "--"]
    words = [*roar, "osmo", "workflow", "query", workflow]
    os.execv(sys.executable, words)  # noqa: S606 - its end is ours


def _checked_pause(_: click.Context, __: click.Parameter, seconds: float) -> float:
    if not 0.1 <= seconds <= 86400:  # neither is what is no number
        raise click.BadParameter(f"{seconds} is no number of seconds from 0.1 to 86400")
    return seconds


@osmo.command()
@click.option("--wait", is_flag=True, help="Until every run is complete.")
@click.option(
    "--every",
    default=30.0,
    show_default=True,
    callback=_checked_pause,
    help="Seconds between two looks.",
)
@click.option("--patience", default=120.0, show_default=True, help="Seconds osmo may take.")
def collect(wait: bool, every: float, patience: float) -> int:
    """Bring in what tasks have done since: `roar collect`, with patience for a slow server.

    Exits with 3 when something is still open. Collecting again changes nothing.

    Example: roar osmo collect --wait
    """
    while True:
        left = _collected(patience)
        if not left:
            return 0
        if not wait:
            return 3
        time.sleep(every)


def _collected(patience: float) -> int:
    """Collect once, and say what came; returns how many runs are open."""
    told = _roar("collect", "--json", environ={"ROAR_RUN__PATIENCE": str(patience)})
    runs = json.loads(told)["runs"]
    for run in runs:
        state = "open: more may come" if run["open"] else "complete"
        click.echo(f"{run['step'] or run['uid'][:8]}  {run['merged']} new, {state}")
    return sum(run["open"] for run in runs)


def _settings() -> Settings:
    from roar_osmo.settings import SECTION, Settings

    listed = json.loads(_roar("config", "list", "--json"))["settings"]
    told = {each["name"]: each["value"] for each in listed}
    names = {key.name: f"{SECTION.name}.{key.name}" for key in SECTION.keys}
    return Settings.of({key: told[name] for key, name in names.items()}).checked()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RoarError(f"cannot write {str(path)!r}: {error.strerror}") from error


def _roar(*arguments: str, environ: dict[str, str] | None = None) -> str:
    """Ask roar, whose settings and runs are its own; its sentences are the user's to read."""
    command = [sys.executable, "-P", "-m", "roar_core", *arguments]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **(environ or {})},
    )
    if done.returncode:
        raise click.exceptions.Exit(done.returncode)
    return done.stdout

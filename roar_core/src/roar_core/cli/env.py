"""`roar env`: variables that every recorded command of this project is given."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from roar_core.cli import output
from roar_core.cli.settings import config_file, current_config, here
from roar_core.environment.variables import HIDDEN, is_secret, masked, problem_with
from roar_core.errors import RefusedError, RoarError, UsageError
from roar_core.project import initialise, recordable_project

_SETTING = "environment.set"


@click.group()
def env() -> None:
    """Give variables to every command that is recorded in this project.

    They are kept in .roar/config.toml and recorded with each job. Of what looks like a secret only
    the name is shown and recorded. A variable that your shell has keeps the shell's value.

    Example: roar env set OMP_NUM_THREADS=4
    """


@env.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE…")
def set_variables(pairs: tuple[str, ...]) -> None:
    """Give each NAME its VALUE; NAME VALUE is understood too.

    Example: roar env set SEED=1 DATA_DIR='/data/train set'
    """
    if len(pairs) == 2 and "=" not in pairs[0]:
        pairs = ("=".join(pairs),)
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"roar env set takes NAME=VALUE; got {pair!r}")
        problem = problem_with(name)
        if problem is not None:
            raise UsageError(problem)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"the value of {name} is not UTF-8, which TOML cannot hold") from error
        given[name] = value
    from roar_core.config.writing import set_value

    try:
        project = recordable_project(here().root)
        initialise(project)
    except RefusedError as error:
        raise RoarError(str(error)) from error
    path, label = config_file(project)
    for name, value in given.items():
        set_value(path, f"{_SETTING}.{name}", value)
    output.note(f"{', '.join(given)} set in {label}, for every command that is recorded here")
    for name, value in given.items():
        if os.environ.get(name, value) != value:
            output.warn(f"your shell has another value for {name}, which it keeps")


@env.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.option("--show-secrets", is_flag=True, help="With --json: print a secret's value.")
def get(name: str, as_json: bool, show_secrets: bool) -> int:
    """Print the value of NAME, a secret's too; exit 1 when it has none.

    Example: roar env get SEED
    """
    value = _variables().get(name)
    if as_json:
        from roar_core.cli.documents import document

        shown = None if value is None else _shown({name: value}, show_secrets)[name]
        hidden = value is not None and is_secret(name, value) and not show_secrets
        output.data(document("variable", name=name, value=shown, hidden=hidden))
    elif value is None:
        output.note(f"{output.printable(name)} is not set; see: roar env list")
    else:
        output.line(value)
    return 0 if value is not None else 1


@env.command("list")
@click.option("--show-secrets", is_flag=True, help="Print the values of secrets too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def list_variables(show_secrets: bool, as_json: bool) -> None:
    """List the variables that commands are given.

    Example: roar env list
    """
    found = _variables()
    shown = _shown(found, show_secrets)
    if as_json:
        from roar_core.cli.documents import document

        hidden = sorted(name for name in found if shown[name] != found[name])
        output.data(document("variables", variables=dict(sorted(shown.items())), hidden=hidden))
        return
    if not found:
        output.note("no variables are given to commands; set one with: roar env set NAME=VALUE")
    for name in sorted(found):
        output.line(f"{name}={output.printable(shown[name])}")
    if HIDDEN in shown.values():
        output.note("values that look like secrets are hidden; see them with: --show-secrets")


@env.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
def unset(names: tuple[str, ...]) -> int:
    """Give NAME to commands no more; exit 1 when one was not set here.

    Example: roar env unset SEED
    """
    from roar_core.config.writing import unset_value

    path, label = config_file(here())
    status = 0
    for name in names:
        # A dot would reach into another table.
        if "." in name or not path.exists() or not unset_value(path, f"{_SETTING}.{name}"):
            output.note(f"{output.printable(name)} is not set in {label}")
            status = 1
        else:
            output.note(f"{name} taken out of {label}")
    still = [name for name in names if name in _variables()]
    for name in still:
        output.warn(f"{name} is given all the same: roar.toml or your global.toml sets it")
    return status


def _variables() -> Mapping[str, str]:
    variables: Mapping[str, str] = current_config().get(_SETTING)
    return variables


def _shown(variables: Mapping[str, str], show_secrets: bool) -> dict[str, str]:
    return dict(variables) if show_secrets else masked(variables)

"""`roar plugins`: what is installed, and how to make and prove a plugin of one's own."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path

import click

from roar_core.cli import output
from roar_core.cli.documents import document
from roar_core.cli.promise_view import print_report, report_fields
from roar_core.cli.settings import here, plugin_sections
from roar_core.config.layers import Config, load
from roar_core.discovery import PluginRef
from roar_core.errors import ConfigError, NotFoundError
from roar_core.scaffold.kinds import KINDS, kind_called

_NONE = "no plugin is installed; from a checkout: pip install ./plugins/tracer_preload"


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List, make and check plugins.

    Without a command: every plugin that is installed, and why one is unusable.

    Example: roar plugins new analyzer mytool
    && pip install ./roar-analyzer-mytool && roar plugins check mytool
    """
    if context.invoked_subcommand is None:
        _print_list(as_json)


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def list_(as_json: bool) -> None:
    """List plugins, and why one is unusable.

    States: ok, disabled, broken, too new, duplicate. ROAR_DISABLE_PLUGINS=NAME,NAME (names of
    plugins or of distributions) or =all leaves plugins out.

    Example: roar plugins list --json
    """
    _print_list(as_json)


@plugins.command()
@click.argument("kind", type=click.Choice([kind.word for kind in KINDS]), metavar="KIND")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="The package's folder; by default it is named like the distribution.",
)
def new(kind: str, name: str, into: Path | None) -> None:
    """Write the package of a new plugin: it installs, and passes its tests, as it is.

    KIND is one of tracer, analyzer, storage-proxy, backend, composite, exporter, transfer, command.

    Example: roar plugins new exporter graphml --into ~/src/roar-graphml
    """
    from roar_core.cli.main import COMMANDS
    from roar_core.scaffold.naming import checked_name
    from roar_core.scaffold.packages import package_files
    from roar_core.scaffold.taken import refuse_taken
    from roar_core.scaffold.writing import write_package

    checked = checked_name(kind_called(kind), name)
    refuse_taken(checked, COMMANDS, here().root)
    target = into or Path(checked.distribution)
    write_package(package_files(checked), target)
    output.tell(f"wrote {target}; its README.md says how to try it")


def _installed_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    from roar_core.discovery import find_plugins

    names = {name for ref in find_plugins() for name in (ref.name, ref.distribution)}
    return sorted(name for name in names if name.startswith(incomplete))


@plugins.command()
@click.argument("name", required=False, shell_complete=_installed_names)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def check(name: str | None, as_json: bool) -> int:
    """Tell a plugin's author what is wrong with it, and what to do.

    Runs the cheap promises of its kind on the plugin NAME (or on all of a distribution of that
    name; without NAME on every plugin): it can be imported and says nothing, its hooks and objects
    fit, its settings are valid, and what else docs/plugins.md lists. Exit 1 when something is
    wrong; advice is no fault.

    Example: roar plugins check mytool
    """
    from roar_core.cli.main import COMMANDS
    from roar_core.promises.installed import Surroundings, examine

    with _results_kept_clean():
        around = Surroundings(here().root, _settings_or_built_in().section, COMMANDS)
        reports = examine(_selected(name), around)
    if as_json:
        output.data(document("plugins_check", plugins=[report_fields(each) for each in reports]))
    else:
        for report in reports:
            print_report(report)
        if not reports:
            output.note(_NONE)
    return 0 if all(report.is_sound for report in reports) else 1


def _selected(name: str | None) -> list[PluginRef]:
    from roar_core.discovery import find_plugins

    refs = find_plugins()
    found = [ref for ref in refs if name in (None, ref.name, ref.distribution)]
    if name is not None and not found:
        known = ", ".join(sorted({ref.name for ref in refs})) or "none"
        raise NotFoundError(f"no plugin is called {name!r}; installed: {known}")
    return found


def _print_list(as_json: bool) -> None:
    from roar_core.plugins import all_plugins

    with _results_kept_clean():
        found = all_plugins(here().root, _settings_or_built_in().section)
    if as_json:
        rows = [
            {
                "kind": plugin.ref.kind,
                "name": plugin.ref.name,
                "distribution": plugin.ref.distribution,
                "version": plugin.ref.version,
                "state": plugin.state,
                "reason": plugin.reason or None,
            }
            for plugin in found
        ]
        output.data(document("plugins", plugins=rows))
        return
    if not found:
        output.note(_NONE)
        return
    output.table(
        [
            (p.ref.kind, p.ref.name, p.ref.distribution, p.ref.version, p.state, p.reason)
            for p in found
        ],
        ("kind", "name", "distribution", "version", "state", "reason"),
    )


def _results_kept_clean() -> AbstractContextManager[object]:
    """Meanwhile, what a plugin prints does not end up among results that a program reads."""
    return redirect_stdout(sys.stderr)


def _settings_or_built_in() -> Config:
    """The settings that hold, or the built-in ones: a wrong setting must not hide the plugins."""
    project = here()
    sections = plugin_sections()
    try:
        return load(project.root, project.roar_dir, os.environ, sections=sections)
    except ConfigError as error:
        output.warn(str(error))
        return load(None, None, {}, sections=sections)

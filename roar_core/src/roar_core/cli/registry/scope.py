"""`roar scope`: for whom what is published will be."""

from __future__ import annotations

import click

from roar_core.cli import output
from roar_core.cli.registry.reaching import json_option, reach, registry_config
from roar_core.errors import RegistryError

_MEANINGS = {
    "anonymous": "everybody, without a name",
    "private": "you alone",
    "public": "everybody, in your name",
}
_SETTING = "registry.scope"


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def scope(context: click.Context, as_json: bool) -> None:
    """For whom what is published will be: you, a project, or everybody.

    Kept for this checkout, in .roar/config.toml. Without one, what you publish is yours alone when
    you are signed in, and everybody's, without a name, when you are not.

    Example: roar scope use lab/cats
    """
    if context.invoked_subcommand is None:
        _show(as_json)


@scope.command()
@json_option
def status(as_json: bool) -> None:
    """Show the scope that holds here; the registry is not asked.

    Example: roar scope status
    """
    _show(as_json)


@scope.command("list", short_help="List the scopes to choose from.")
@json_option
def list_scopes(as_json: bool) -> None:
    """List the scopes to choose from, with the projects that the registry tells you of.

    Example: roar scope list --json | jq -r '.scopes[] | select(.can_write) | .name'
    """
    from roar_core.cli.documents import document, text
    from roar_core.registry.accounts import account_of
    from roar_core.registry.scopes import scope_of

    config = registry_config()
    chosen = scope_of(config)
    with reach(config) as connection:
        is_known = connection.caller is not None
        projects = account_of(connection).projects if is_known else ()
        url = connection.url
    scopes: list[tuple[str, str | None, bool]]
    scopes = [(name, None, name == "anonymous" or is_known) for name in _MEANINGS]
    scopes += [(project.name, project.visibility, project.can_write) for project in projects]
    if as_json:
        told = [
            {
                "name": text(name),
                "visibility": v and text(v),
                "can_write": w,
                "chosen": name == chosen,
            }
            for name, v, w in scopes
        ]
        output.data(document("scopes", registry=url, scopes=told))
        return
    output.table(
        (
            "*" if name == chosen else "",
            name,
            _MEANINGS.get(name) or f"{visibility} project",
            "" if can_write else ("read-only" if visibility else "sign in: roar login"),
        )
        for name, visibility, can_write in scopes
    )


@scope.command(short_help="Publish as NAME from this checkout.")
@click.argument("name")
def use(name: str) -> None:
    """Publish as NAME from this checkout: anonymous, private, public or OWNER/PROJECT.

    Whether you may publish to a project is asked of the registry first.

    Example: roar scope use lab/cats
    """
    from roar_core.cli.settings import write_setting
    from roar_core.errors import ConfigError, UsageError
    from roar_core.registry.accounts import account_of
    from roar_core.registry.scopes import checked_scope, writable

    try:
        chosen = checked_scope(name, "NAME")
    except ConfigError as error:
        raise UsageError(str(error)) from error
    if not chosen:
        raise UsageError("NAME is empty; to have no scope: roar scope clear")
    if "/" in chosen:
        with reach(registry_config()) as connection:
            if connection.caller is None:
                raise RegistryError(
                    f"nobody is signed in at {connection.url}, which alone knows its projects;"
                    " sign in: roar login"
                )
            writable(account_of(connection), chosen)
    write_setting(_SETTING, chosen)


@scope.command(short_help="Have no scope in this checkout.")
def clear() -> int:
    """Have no scope in this checkout; exit 1 when there was none.

    Example: roar scope clear
    """
    from roar_core.cli.settings import config_file, here
    from roar_core.config.writing import unset_value

    path, label = config_file(here())
    if not path.exists() or not unset_value(path, _SETTING):
        output.note(f"no scope is set in {label}")
        return 1
    output.note(f"the scope is taken out of {label}")
    return 0


def _show(as_json: bool) -> None:
    from roar_core.cli.documents import document, text
    from roar_core.registry.scopes import scope_of

    config = registry_config()
    chosen = scope_of(config)
    origin = config.origin(_SETTING)
    with reach(config) as connection:
        caller, url = connection.caller, connection.url
    is_known = caller is not None
    holds = chosen or ("private" if is_known else "anonymous")
    if as_json:
        told = {"registry": url, "scope": text(chosen) or None, "holds": text(holds)}
        output.data(document("scope", **told, origin=text(origin), signed_in=is_known))
        return
    for_whom = _MEANINGS.get(holds) or f"whoever sees {holds}"
    because = (
        origin if chosen else f"none is set, and {'you are' if is_known else 'nobody is'} known"
    )
    output.line(output.printable(f"{holds}: for {for_whom}, at {url} ({because})"))
    if caller is not None and caller.kind == "withheld":
        output.warn(f"nothing is published so: {caller.reason}")
    if chosen not in ("", "anonymous") and not is_known:
        output.tell(f"nobody is signed in at {url}; sign in: roar login")

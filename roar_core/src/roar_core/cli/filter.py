"""`roar filter`: which files stay out of lineage."""

from __future__ import annotations

import click

from roar_core.cli import output
from roar_core.cli.documents import document
from roar_core.cli.settings import current_config, write_setting
from roar_core.errors import UsageError

_IGNORE = "filters.ignore"


@click.group("filter")
def filters() -> None:
    """Keep paths out of lineage.

    Example: roar filter add 'logs/**'
    """


@filters.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def list_filters(as_json: bool) -> None:
    """List the classes of files that are left out, and your own patterns.

    Example: roar filter list
    """
    config = current_config()
    settings = [s for s in config.items() if s.name.startswith("filters.")]
    classes = [s for s in settings if isinstance(s.value, bool)]
    ignore = config.setting(_IGNORE)
    if as_json:
        output.data(
            document(
                "filters",
                classes={s.name.removeprefix("filters."): s.value for s in classes},
                ignore=list(ignore.value),
                origin=ignore.origin,
            )
        )
        return
    rows = [
        (s.name.removeprefix("filters."), "on" if s.value else "off", s.key.help) for s in classes
    ]
    rows += [("ignore", pattern, f"from {ignore.origin}") for pattern in ignore.value]
    output.table(rows)


@filters.command()
@click.argument("patterns", nargs=-1, required=True)
def add(patterns: tuple[str, ...]) -> None:
    """Leave files that match PATTERNS out of lineage, in this checkout.

    Example: roar filter add 'logs/**' '*.tmp'
    """
    if not all(patterns):
        raise UsageError("a pattern is empty; name files as in: roar filter add 'logs/**'")
    present = current_config().get(_IGNORE)
    new = [pattern for pattern in dict.fromkeys(patterns) if pattern not in present]
    if not new:
        output.note("every one of these patterns is there already")
        return
    # A list holds whole from one layer: keep what lower layers say by writing it along.
    write_setting(_IGNORE, (*present, *new))


@filters.command()
@click.argument("patterns", nargs=-1, required=True)
def remove(patterns: tuple[str, ...]) -> int:
    """Record files that match PATTERNS again; exit 1 when one is not in the list.

    Example: roar filter remove '*.tmp'
    """
    present = current_config().get(_IGNORE)
    missing = [pattern for pattern in patterns if pattern not in present]
    if missing:
        output.error(f"no such pattern: {', '.join(map(repr, missing))}; see: roar filter list")
        return 1
    write_setting(_IGNORE, tuple(p for p in present if p not in patterns))
    return 0

"""Which texts of a row go when its record is withheld, and how the guards know that it is.

Digests, times, counts and the shape of the graph stay: they are what others refer to.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from roar_glaas.storage.tables import label, label_value, metadata

BLANKED: dict[str, tuple[str, ...]] = {
    "session": ("git_repo", "git_branch"),
    # The job's hash has no salt: with it one could go on guessing at what is gone.
    "job": ("job_hash", "command", "git_branch", "metadata"),
    "edge": ("path", "bloom"),
    "artifact_fact": ("size_bytes", "source_type", "source_url", "metadata"),
    "composite": ("size_bytes", "bloom", "bloom_bits", "bloom_hashes", "metadata"),
    "component": ("path", "type"),
    "label": ("document", "origins"),
}
"""Table -> columns that become NULL."""

TABLES_OF: dict[str, tuple[str, ...]] = {
    "session": ("session",),
    "job": ("job", "edge"),
    "artifact": ("artifact_fact",),
    "composite": ("composite", "component"),
    "label": ("label",),
}
"""Kind of record -> tables with rows that were taken from it, the one with `leaf_index` first."""


class Part(NamedTuple):
    """Rows without a leaf of their own: they belong to a row of `table`, by `column`."""

    column: str
    table: str


PARTS = {"edge": Part("job_id", "job"), "component": Part("composite_id", "composite")}


def is_blanking(table: str, *, postgresql: bool) -> str:
    """The condition, in a trigger, that an update does no more than blank a withheld record's row.

    Never NULL: nothing but EXISTS, IS and their like.
    """
    same = "IS NOT DISTINCT FROM" if postgresql else "IS"
    conditions = [is_withheld(table)]
    for column in metadata.tables[table].columns:
        kept = f'NEW."{column.name}" {same} OLD."{column.name}"'
        if column.name in BLANKED[table]:
            kept = f'({kept} OR NEW."{column.name}" IS NULL)'
        conditions.append(kept)
    return " AND ".join(conditions)


def is_withheld(table: str) -> str:
    """The condition, in a trigger, that the record which the old row was taken from is withheld."""
    if table not in PARTS:
        return "EXISTS (SELECT 1 FROM withheld WHERE withheld.leaf_index = OLD.leaf_index)"
    column, whole = PARTS[table]
    return (
        "EXISTS (SELECT 1 FROM withheld "  # noqa: S608 - every name is of this module
        f"JOIN {whole} ON {whole}.leaf_index = withheld.leaf_index "
        f"WHERE {whole}.id = OLD.{column})"
    )


def blank(connection: sa.Connection, kind: str, leaf_index: int) -> None:
    """Blank every row that was taken from a record of this kind, which must be withheld already.

    What labels and commands are searched by goes too (of commands, by a trigger).
    """
    for name in TABLES_OF[kind]:
        table = metadata.tables[name]
        values = dict.fromkeys(BLANKED[name])
        if name in PARTS:
            whole = metadata.tables[PARTS[name].table]
            ids = sa.select(whole.c.id).where(whole.c.leaf_index == leaf_index)
            is_of_it = table.c[PARTS[name].column].in_(ids)
        else:
            is_of_it = table.c.leaf_index.in_([leaf_index])
        connection.execute(sa.update(table).where(is_of_it).values(values))
    if kind == "label":
        ids = sa.select(label.c.id).where(label.c.leaf_index == leaf_index)
        connection.execute(sa.delete(label_value).where(label_value.c.label_id.in_(ids)))

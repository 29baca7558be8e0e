"""Rows that no record of the log accounts for."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.audit.findings import Findings
from roar_glaas.audit.rows import Rows
from roar_glaas.digests import digest_text
from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    edge,
    job,
    label,
    label_value,
    leaf,
    log_key,
    record_bytes,
    session,
    withheld,
)

_TAKEN_FROM = (
    *((session, "leaf_index", "session"), (job, "leaf_index", "job")),
    *((artifact_fact, "leaf_index", "artifact"), (composite, "leaf_index", "composite")),
    *((label, "leaf_index", "label"), (log_key, "leaf_index", "key")),
    *((withheld, "record_index", "withheld"), (digest_claim, "leaf_index", "artifact")),
)
_MOST = 5


def find_strays(connection: sa.Connection, findings: Findings, rows: Rows) -> None:
    """Note rows that name no record of their kind, and parts beyond those that `rows` saw."""
    for table, column, kind in _TAKEN_FROM:
        named = table.c[column]
        found = connection.execute(
            sa.select(named)
            .outerjoin(leaf, sa.and_(leaf.c.index == named, leaf.c.kind.in_((kind, "elsewhere"))))
            .where(leaf.c.index.is_(None))
            .limit(_MOST)
        ).scalars()
        for index in found:
            findings.add(
                f"a row of {table.name} was never registered: it names record {index}, and the "
                f"log has no {kind} record of that number",
                index,
            )
    for table in (edge, component, digest_claim, label_value):
        seen = rows.seen[table.name] + _imported(connection, table)
        count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        if count > seen:
            findings.add(
                f"{count - seen} rows of {table.name} belong to no record that could be checked"
            )
    orphans = connection.execute(
        sa.select(record_bytes.c.leaf_index)
        .outerjoin(leaf, leaf.c.index == record_bytes.c.leaf_index)
        .where(leaf.c.index.is_(None))
        .limit(_MOST)
    ).scalars()
    for index in orphans:
        findings.add(f"there are bytes of record {index}, but no leaf", index)
    unnamed = connection.execute(
        sa.select(artifact.c.algorithm, artifact.c.digest)
        .where(
            *(
                ~sa.exists().where(table.c.artifact_id == artifact.c.id)
                for table in (edge, artifact_fact, composite)
            )
        )
        .limit(_MOST)
    )
    for algorithm, digest in unnamed:
        text = digest_text(algorithm, bytes(digest))
        findings.add(f"the artifact {algorithm} {text} was never registered: no record names it")


def _imported(connection: sa.Connection, table: sa.Table) -> int:
    """How many rows came with a record that was withheld where it was exported."""
    whole = {"edge": job, "component": composite}.get(table.name, table)
    if whole is table and "leaf_index" not in table.c:
        return 0
    query = sa.select(sa.func.count()).select_from(table)
    if whole is not table:
        query = query.join(whole)
    query = query.join(leaf, leaf.c.index == whole.c.leaf_index).where(leaf.c.kind == "elsewhere")
    return int(connection.execute(query).scalar_one())

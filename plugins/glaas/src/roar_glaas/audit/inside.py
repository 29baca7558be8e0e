"""Replay a registry's log from its database: everything that it holds, against everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import attrs
import sqlalchemy as sa

from roar_core.transparency.statements import LogKey
from roar_glaas.audit.findings import Findings
from roar_glaas.audit.keeping import check_key, check_withheld
from roar_glaas.audit.records import Kept, read_records
from roar_glaas.audit.rows import Rows
from roar_glaas.audit.strays import find_strays
from roar_glaas.audit.tree import Replay
from roar_glaas.log.proofs import log_size


@attrs.define
class Report:
    """What an audit looked at, and what it found."""

    findings: Findings
    size: int = 0
    root: str = ""
    heads: int = 0
    keys: list[str] = attrs.field(factory=list)
    records: dict[str, int] = attrs.field(factory=dict)
    withheld: int = 0
    # Kinds of record that this release knows no rows of: their leaves are checked, no more.
    unknown: list[str] = attrs.field(factory=list)


def audit_database(connection: sa.Connection, progress: Callable[[int, int], None]) -> Report:
    """Check the log and all rows; `progress` is told how many of how many records are done.

    The connection should be one consistent snapshot (`Database.read`). Memory does not grow with
    the log.
    """
    findings = Findings()
    keys: list[LogKey] = []
    counts: Counter[str] = Counter()
    withheld = 0
    rows = Rows(connection, findings)
    tree = Replay(connection, findings, keys)
    total = log_size(connection)
    for batch in read_records(connection, findings):
        by_kind: dict[str, list[Kept]] = {}
        for record in batch:
            if record.kind == "key":
                check_key(connection, findings, keys, record)
            elif record.kind == "withheld":
                check_withheld(connection, findings, keys, record)
            by_kind.setdefault(record.kind, []).append(record)
        tree.add(batch[0].leaf_index, [record.digest for record in batch])
        counts.update(record.kind for record in batch)
        for kind in rows.kinds:
            if kind in by_kind:
                rows.check(kind, by_kind[kind])
        withheld += sum(record.is_withheld for record in batch)
        progress(batch[-1].leaf_index + 1, total)
    tree.finish()
    rows.finish()
    find_strays(connection, findings, rows)
    return Report(
        findings=findings,
        size=tree.size,
        root=tree.root().hex(),
        heads=tree.heads,
        keys=[key.key_id.hex() for key in keys],
        records=dict(sorted(counts.items())),
        withheld=withheld,
        unknown=sorted(set(counts) - {*rows.kinds, "key", "withheld", "elsewhere"}),
    )

"""Datasets that were recorded elsewhere: what they are, and what of them a job touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from roar_core.errors import RoarError
from roar_core.identity import Leaf, tree_hash
from roar_core.model.composite import Component, in_order
from roar_core.store.foreign import ForeignArtifact, ForeignJob
from roar_core.store.member_lists import MemberList
from roar_core.store.rows import INPUT, OUTPUT, path_to_sql


def add_dataset(db: sqlite3.Connection, artifact: int, foreign: ForeignArtifact) -> None:
    """Keep what a dataset's artifact is. Raises RoarError when its members are another's."""
    if db.execute("SELECT 1 FROM composite WHERE artifact = ?", (artifact,)).fetchone():
        return
    columns: tuple[bytes | None, ...] = (None, None, None, None)
    bloom: tuple[int | bytes | None, ...] = (None, None, None)
    if foreign.members is not None:
        members = sorted(foreign.members, key=in_order)
        _refuse_another(members, foreign.digests)
        columns = MemberList.columns_of(members)
    elif foreign.bloom is not None:
        bloom = (foreign.bloom.bits, foreign.bloom.hashes, foreign.bloom.data)
    db.execute(
        "INSERT INTO composite (artifact, layout, member_count, paths, digests, sizes, kinds, "
        "bloom_bits, bloom_hashes, bloom) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (artifact, foreign.layout, foreign.member_count, *columns, *bloom),
    )


def add_edges_of_datasets(db: sqlite3.Connection, job_id: int, foreign: ForeignJob) -> None:
    """Keep how much of each dataset a job touched. Raises RoarError where that contradicts it."""
    import zlib

    job = foreign.job
    for direction, side in ((INPUT, job.inputs), (OUTPUT, job.outputs)):
        for edge in side:
            if edge.composite is None:
                continue
            row = db.execute(
                "SELECT edge.id, composite.member_count FROM edge JOIN composite "
                "ON composite.artifact = edge.artifact "
                "WHERE job = ? AND direction = ? AND path = ?",
                (job_id, direction, path_to_sql(edge.path, job.project)),
            ).fetchone()
            if row is None:
                raise RoarError(f"the graph does not say what the dataset {edge.hash} is")
            bits = foreign.bits.get((direction == OUTPUT, edge.path))
            if bits is not None and len(bits) != (row[1] + 7) // 8:
                raise RoarError(f"the graph miscounts the members of {edge.hash}")
            use = edge.composite
            db.execute(
                "INSERT OR IGNORE INTO composite_use VALUES (?, ?, ?, ?, ?)",
                (
                    *(row[0], use.members, use.touched, use.is_whole),
                    None if bits is None else zlib.compress(bits, 1),
                ),
            )


def _refuse_another(members: list[Component], digests: Mapping[str, str]) -> None:
    tree = tree_hash(
        Leaf(c.path, "composite-blake3" if c.kind == "composite" else "blake3", c.digest)
        for c in members
    )
    named = {digests.get("composite-blake3"), digests.get("composite-sha256")} - {None}
    if tree.root not in named and tree.algorithm == "composite-blake3":
        told = ", ".join(f"{name}:{value[:12]}" for name, value in digests.items())
        raise RoarError(
            f"the members that the graph gives of the dataset {told} are those of another"
            f" ({tree.algorithm}:{tree.root[:12]}); nothing is imported"
        )

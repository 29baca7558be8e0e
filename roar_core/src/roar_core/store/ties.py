"""Tying what a job read to who made it, where datasets are involved.

Several jobs may each have written some members of a dataset that another one reads; a file may have
been made as a member of a dataset; and a member may have been made as a file. SQL over edges sees
none of these, so they are found here, by the members' digests, when a job is completed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from roar_core.store.composites import members_of
from roar_core.store.rows import INPUT, OUTPUT

# Beyond this many outputs a dataset's members are looked for at its own path only.
_OUTPUTS_MAX = 50_000


class _Made(NamedTuple):
    """An output that is a dataset, and which of its members the job wrote."""

    job: int
    path: str | bytes
    artifact: int
    bitmap: bytes | None


def tie_inputs(db: sqlite3.Connection, job_id: int) -> None:
    """Find the producers of a job's inputs, as far as datasets are involved in making them."""
    made = list(_datasets_made(db, job_id))
    composites = db.execute(
        "SELECT edge.id, edge.path, edge.artifact, composite_use.bitmap FROM edge "
        "JOIN composite_use ON composite_use.edge = edge.id WHERE edge.job = ? AND direction = ?",
        (job_id, INPUT),
    ).fetchall()
    for edge, path, artifact, bitmap in composites:
        sources = list(dict.fromkeys(_sources(db, job_id, path, artifact, bitmap, made)))
        db.execute("DELETE FROM composite_source WHERE edge = ?", (edge,))
        db.execute("UPDATE edge SET producer = ? WHERE id = ?", (next(iter(sources), None), edge))
        db.executemany(
            "INSERT INTO composite_source VALUES (?, ?)", [(edge, job) for job in sources[1:]]
        )
    if made:
        _tie_files(db, made, "edge.job = ?", job_id)


def tie_files(db: sqlite3.Connection, first: int, last: int) -> None:
    """Like `tie_inputs` for the newest jobs there are, which touched no datasets; by their ids."""
    made = list(_datasets_made(db, last))
    if made:
        _tie_files(db, made, "edge.job BETWEEN ? AND ?", first, last)


def _datasets_made(db: sqlite3.Connection, reader: int) -> Iterator[_Made]:
    """Datasets that other jobs wrote: newest first, but those started after the reader last."""
    # CROSS JOIN keeps SQLite from walking every edge there is: datasets are few.
    rows = db.execute(
        "SELECT edge.job, edge.path, edge.artifact, composite_use.bitmap FROM composite_use "
        "CROSS JOIN edge ON edge.id = composite_use.edge JOIN job ON job.id = edge.job "
        "WHERE direction = ? AND edge.job <> ? AND job.undone_at_ns IS NULL "
        "ORDER BY edge.job > ?, edge.job DESC",
        (OUTPUT, reader, reader),
    )
    return map(_Made._make, rows)


def _sources(
    db: sqlite3.Connection,
    reader: int,
    path: str | bytes,
    artifact: int,
    bitmap: bytes | None,
    made: list[_Made],
) -> Iterator[int]:
    """The jobs that wrote the members that were read, the newest writer of each."""
    # All of it, as it was read: nothing has to be compared.
    for output in made:
        if output.artifact == artifact and output.bitmap is None and output.path == path:
            yield output.job
            return
    members = members_of(db, artifact)
    if members is None:  # only a filter is kept: equal datasets are all that can be told
        yield from (output.job for output in made if output.artifact == artifact)
        return
    missing = dict(members.pairs(bitmap))
    for output in sorted(made, key=lambda output: output.path != path):
        if not missing:
            return
        yield from _taken(db, output, missing, by_name=output.path == path)
    yield from _made_as_files(db, reader, path, missing)


def _taken(
    db: sqlite3.Connection, output: _Made, missing: dict[bytes, bytes], *, by_name: bool
) -> Iterator[int]:
    """The job of `output` if it wrote some of `missing`, which are then taken out of it."""
    members = members_of(db, output.artifact)
    if members is None:
        return
    written = dict(members.pairs(output.bitmap))
    if by_name:
        found = [name for name, digest in missing.items() if written.get(name) == digest]
    else:
        digests = frozenset(written.values()) - {_EMPTY}
        found = [name for name, digest in missing.items() if digest in digests]
    for name in found:
        del missing[name]
    if found:
        yield output.job


# BLAKE3 of nothing: empty files are all alike.
_EMPTY = bytes.fromhex("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")


def _made_as_files(
    db: sqlite3.Connection, reader: int, path: str | bytes, missing: dict[bytes, bytes]
) -> Iterator[int]:
    """The jobs of which members are outputs on their own, at the dataset's path before others."""
    if not missing:
        return
    inside, limit = "1", 0
    if isinstance(path, str):
        inside = "edge.path >= :path || '/' AND edge.path < :path || '0'"
        limit = len(path.encode()) + 1
    query = (
        "SELECT edge.path, artifact.blake3, edge.job FROM edge "
        "JOIN artifact ON artifact.id = edge.artifact JOIN job ON job.id = edge.job "
        "WHERE {} AND edge.direction = 1 AND edge.kind = 'file' AND edge.job <> :reader "
        "AND job.undone_at_ns IS NULL ORDER BY edge.job > :reader, edge.job DESC"
    )
    values = {"path": path, "reader": reader}
    if limit:
        for place, digest, job in db.execute(query.format(inside), values):
            name = place.encode()[limit:] if isinstance(place, str) else place[limit:]
            if missing.get(name) == digest:
                del missing[name]
                yield job
    names = {digest: name for name, digest in missing.items() if digest != _EMPTY}
    outputs = db.execute("SELECT count(*) FROM edge WHERE direction = 1").fetchone()[0]
    if not names or outputs > _OUTPUTS_MAX:
        return
    for _, digest, job in db.execute(query.format("job.kind <> 'put'"), values):
        if names.pop(digest, None) is not None:
            yield job


def _tie_files(db: sqlite3.Connection, made: list[_Made], readers: str, *values: object) -> None:
    """Find who made files as members of datasets, of those that nobody made as a file."""
    wanted: dict[bytes, list[int]] = {}
    for edge, digest in db.execute(
        "SELECT edge.id, artifact.blake3 FROM edge JOIN artifact ON artifact.id = edge.artifact"  # noqa: S608
        f" WHERE {readers} AND direction = 0 AND kind = 'file' AND producer IS NULL"
        " AND edge.size > 0",
        values,
    ):
        wanted.setdefault(digest, []).append(edge)
    for output in made:
        if not wanted:
            return
        members = members_of(db, output.artifact)
        if members is None:
            continue
        found = wanted.keys() & {digest for _, digest in members.pairs(output.bitmap)}
        db.executemany(
            "UPDATE edge SET producer = ? WHERE id = ?",
            [(output.job, edge) for digest in found for edge in wanted.pop(digest)],
        )

"""The way by which a tag came: from where it was put, over the jobs that passed it on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from roar_core.cli import output, wording
from roar_core.lineage.session import JobRow, jobs_by_id
from roar_core.lineage.tags import Hop, TagGraph
from roar_core.store.rows import from_sql

if TYPE_CHECKING:
    from roar_core.cli.documents import Document
    from roar_core.cli.entities import Entity
    from roar_core.project import Project
    from roar_core.store.tags import Tag


class Station(NamedTuple):
    """A hop with names: the job, and what it read the tag of; either may be missing."""

    job: JobRow | None
    path: str | None
    hash: str | None


class Way(NamedTuple):
    """How one tag came; the first station is where it was put."""

    tag: Tag
    stations: tuple[Station, ...]


def ways_of(
    db: sqlite3.Connection, entity: Entity, tags: Iterable[Tag], project: Project
) -> list[Way]:
    """The way of each tag that an artifact, or a job's outputs, have."""
    graph = TagGraph(db)
    ways = []
    for tag in tags:
        if entity.kind == "job":
            hops = graph.way(tag, job=entity.id)
        else:
            hops = graph.way(tag, artifact=entity.id)
        jobs = {row.id: row for row in _rows(db, hops)}
        ways.append(Way(tag, tuple(_station(db, hop, jobs) for hop in hops)))
    return [way for way in ways if way.stations]


def print_ways(ways: Sequence[Way], name: str) -> None:
    """A line for each station, from where the tag was put to `name`."""
    for way in ways:
        output.line(output.style(output.printable(str(way.tag)), "bold"))
        for place, station in enumerate(way.stations):
            output.line(f"  {output.printable(_words(station, is_first=not place))}")
        output.line(f"  {output.symbol('→', '->')} {output.printable(name)}")


def way_document(way: Way) -> Document:
    """One way, for programs."""
    from roar_core.cli.documents import summary_document, text

    return {
        **way.tag._asdict(),
        "stations": [
            {
                "job": station.job and summary_document(station.job),
                "path": None if station.path is None else text(station.path),
                "hash": station.hash,
            }
            for station in way.stations
        ],
    }


def _words(station: Station, *, is_first: bool) -> str:
    what = station.path or wording.short_hash(station.hash)
    if station.job is None:
        return f"put on {what}"
    job = f"{station.job.reference} {wording.title(station.job.name, station.job.command)}"
    if station.hash is None:
        return f"put by {job} (--add-tag)" if is_first else f"its result got by {job}"
    return f"read from {what} by {job}"


def _rows(db: sqlite3.Connection, hops: Iterable[Hop]) -> Iterable[JobRow]:
    ids = [hop.job for hop in hops if hop.job is not None]
    return jobs_by_id(db, ids).values()


def _station(db: sqlite3.Connection, hop: Hop, jobs: dict[int, JobRow]) -> Station:
    job = None if hop.job is None else jobs[hop.job]
    if hop.artifact is None:
        return Station(job, None, None)
    row = db.execute(
        "SELECT path FROM edge WHERE artifact = ? ORDER BY job = ? DESC, id DESC LIMIT 1",
        (hop.artifact, hop.job),
    ).fetchone()
    return Station(job, from_sql(row[0]) if row else None, _hash(db, hop.artifact))


def _hash(db: sqlite3.Connection, artifact: int) -> str:
    (blake3,) = db.execute("SELECT blake3 FROM artifact WHERE id = ?", (artifact,)).fetchone()
    if blake3 is not None:
        return f"blake3:{blake3.hex()}"
    row = db.execute("SELECT algorithm, value FROM digest WHERE artifact = ?", (artifact,))
    return ":".join(row.fetchone())

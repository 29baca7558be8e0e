"""Datasets in the session database: their members, and how much of them each job touched."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from roar_core.identity import BloomFilter
from roar_core.model.composite import CompositeUse, Dataset, KnownDataset
from roar_core.model.job import Job
from roar_core.store.database import Database
from roar_core.store.member_lists import Columns, MemberList, bitmap_of
from roar_core.store.rows import INPUT, OUTPUT, path_to_sql


class Datasets(NamedTuple):
    """What a job's composite edges stand for.

    Of a dataset with more than `components_max` members only a Bloom filter is kept.
    """

    items: tuple[Dataset, ...] = ()
    components_max: int = 1_000_000


def insert_datasets(db: sqlite3.Connection, job_id: int, job: Job, datasets: Datasets) -> None:
    """Keep the members of datasets that are new, and what the job touched of each."""
    uses = {
        (edge.path, is_output): edge.composite
        for is_output, side in ((False, job.inputs), (True, job.outputs))
        for edge in side
        if edge.composite is not None
    }
    edges = {
        (direction, path): (edge, artifact)
        for edge, direction, path, artifact in db.execute(
            "SELECT id, direction, path, artifact FROM edge WHERE job = ? AND kind = 'composite'",
            (job_id,),
        )
    }

    def stored(path: str, is_output: bool) -> tuple[int, int]:
        return edges[OUTPUT if is_output else INPUT, path_to_sql(path, job.project)]

    for dataset in datasets.items:
        use = uses.pop((dataset.path, dataset.is_output))
        edge, artifact = stored(dataset.path, dataset.is_output)
        is_listed = len(dataset.components) <= datasets.components_max
        _insert_members(db, artifact, dataset, is_listed=is_listed)
        if dataset.version is not None:
            db.execute(
                "INSERT OR REPLACE INTO composite_version VALUES (?, ?)",
                (dataset.version, artifact),
            )
        bitmap = bitmap_of(dataset.components, dataset.touched) if is_listed else None
        _insert_use(db, edge, use, bitmap)
    # The rest are datasets known by their fingerprints, all of which was touched.
    for (path, is_output), use in uses.items():
        _insert_use(db, stored(path, is_output)[0], use, None)


def _insert_use(db: sqlite3.Connection, edge: int, use: CompositeUse, bitmap: bytes | None) -> None:
    db.execute(
        "INSERT INTO composite_use VALUES (?, ?, ?, ?, ?)",
        (edge, use.members, use.touched, use.is_whole, bitmap),
    )


def _insert_members(
    db: sqlite3.Connection, artifact: int, dataset: Dataset, *, is_listed: bool
) -> None:
    if db.execute("SELECT 1 FROM composite WHERE artifact = ?", (artifact,)).fetchone():
        return
    columns: tuple[bytes | None, ...] = (None, None, None, None)
    bloom: tuple[int | bytes | None, ...] = (None, None, None)
    if is_listed:
        columns = MemberList.columns_of(dataset.components)
    else:
        filter_ = BloomFilter.of(("blake3", member.digest) for member in dataset.components)
        bloom = (filter_.bits, filter_.hashes, filter_.data)
    db.execute(
        "INSERT INTO composite (artifact, layout, member_count, paths, digests, sizes, kinds, "
        "bloom_bits, bloom_hashes, bloom) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (artifact, dataset.layout, len(dataset.components), *columns, *bloom),
    )


def members_of(db: sqlite3.Connection, artifact: int) -> MemberList | None:
    """The members of a composite; None when it is none, or only a Bloom filter is kept."""
    row = db.execute(
        "SELECT member_count, paths, digests, sizes, kinds FROM composite WHERE artifact = ?",
        (artifact,),
    ).fetchone()
    if row is None or row[1] is None:
        return None
    return MemberList(Columns(*row[1:]), row[0])


def use_from_row(
    layout: str | None, touched: int | None, members: int | None, is_whole: int | None
) -> CompositeUse | None:
    """The `composite` of an edge, from the columns of its left joins."""
    if layout is None or touched is None:
        return None
    return CompositeUse(layout, touched, members, bool(is_whole))


class Composites(Database):
    """What the database knows of datasets."""

    def dataset_of_version(self, version: bytes) -> KnownDataset | None:
        """The dataset that files of these fingerprints are (see `Dataset.version`), if known."""
        with self.reading() as db:
            row = db.execute(
                "SELECT digest.algorithm, digest.value, artifact.size, composite.member_count "
                "FROM composite_version version "
                "JOIN composite ON composite.artifact = version.artifact "
                "JOIN artifact ON artifact.id = version.artifact "
                "JOIN digest ON digest.artifact = version.artifact "
                "AND digest.algorithm LIKE 'composite-%' WHERE version.version = ?",
                (version,),
            ).fetchone()
        return None if row is None else KnownDataset(f"{row[0]}:{row[1]}", row[2], row[3])

"""A registry as large as one may become, written straight into its database.

Sessions of 20 to 600 jobs that are chains with side arms, popular artifacts that many jobs read,
one dataset that a great part of all jobs read, and one session that is 50 layers deep. Of the log
there are leaves and nodes; the bytes of the records are left out.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.storage.bulk import insert_rows
from roar_glaas.storage.database import open_database
from roar_glaas.storage.migrations import migrate
from roar_glaas.storage.tables import artifact, artifact_fact, edge, job, leaf, node, session

LAYERS, WIDTH = 50, 12
POPULAR = 1_000
METADATA = (
    '{"cwd": "/home/someone/project", "roar_version": "0.1.0", "runtime": {"hostname": "node-17", '
    '"python": {"version": "3.12.3"}, "timing": {"duration_seconds": 60.0}}, "packages": {"pip": '
    '{"numpy": "2.1.0", "torch": "2.5.1", "pandas": "2.2.3", "pyarrow": "18.0.0"}}}'
)
COMMANDS = (
    "python prepare.py --part {}",
    "python train.py --config configs/run-{}.yaml --epochs 40",
    "python evaluate.py --checkpoint out/{}/model.pt",
    "dvc repro stage-{}",
    "bash scripts/export.sh {}",
)
_COMMIT = "c" * 40
_BEGAN_US = 1_700_000_000_000_000
_AT_ONCE = 20_000


class Size(NamedTuple):
    """How much there is to be."""

    jobs: int
    raw: int
    dataset_readers: int


FULL = Size(jobs=1_000_000, raw=100_000, dataset_readers=400_000)
SMALL = Size(jobs=20_000, raw=2_000, dataset_readers=8_000)


class Made(NamedTuple):
    """What there is, and what may be asked for."""

    sessions: int
    jobs: int
    artifacts: int
    edges: int
    dataset: str
    deepest: str
    some: list[str]


def make_registry(url: str, size: Size) -> Made:
    """Fill an empty database; some minutes for the full size."""
    database = open_database(url)
    migrate(database)
    # Indexes are made of all rows at once, as whoever restores a database would.
    tables = (session, job, artifact, artifact_fact, edge, leaf, node)
    indexes = [index for table in tables for index in table.indexes]
    with database.write() as connection:
        for index in indexes:
            index.drop(connection)
    writer = _Writer(size)
    for rows in writer.batches():
        with database.write() as connection:
            if database.is_postgresql:
                # No checks of references: what is written here holds together.
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            for (table, columns), values in rows.items():
                insert_rows(connection, table, columns, values)
    with database.write() as connection:
        for index in indexes:
            index.create(connection)
        if database.is_postgresql:
            for table in (session, job, artifact, artifact_fact):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) "
                    f"FROM {table.name}"
                )
    if database.is_postgresql:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.exec_driver_sql("VACUUM ANALYZE")
            c.exec_driver_sql("CHECKPOINT")
    else:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return writer.made


_SESSION = (
    *("id", "hash", "owner_id", "visibility", "git_repo", "git_commit", "git_branch"),
    *("client_version", "registered_at_us", "leaf_index"),
)
_JOB = (
    *("id", "uid", "owner_id", "session_id", "kind", "step", "command", "started_at_us"),
    *("duration_us", "exit_code", "git_commit", "git_branch", "metadata", "leaf_index"),
)
_ARTIFACT = ("id", "digest", "algorithm")
_FACT = ("artifact_id", "session_id", "size_bytes", "leaf_index")
_EDGE = ("job_id", "direction", "artifact_id", "ordinal", "path")
_LEAF = ("index", "hash", "kind", "at_us")
_NODE = ("level", "index", "hash")

Batch = dict[tuple[sa.Table, tuple[str, ...]], list[tuple[Any, ...]]]


class _Writer:
    def __init__(self, size: Size) -> None:
        self._size = size
        self._random = random.Random(7)
        self._hashes = bytearray()  # of all leaves, 32 bytes each
        self._next = {"session": 1, "job": 1, "artifact": 1}
        self._edges = 0
        self._readers = 0
        self._rows: Batch = {}
        self._some: list[str] = []
        self._dataset = ""
        self._deepest = ""

    @property
    def made(self) -> Made:
        return Made(
            self._next["session"] - 1,
            self._next["job"] - 1,
            self._next["artifact"] - 1,
            self._edges,
            self._dataset,
            self._deepest,
            self._some,
        )

    def batches(self) -> Iterator[Batch]:
        """Rows by table, some ten thousands at a time."""
        raw = self._raw_artifacts()
        yield self._taken()
        self._layered_session(raw)
        while self._next["job"] <= self._size.jobs:
            jobs = min(20 + int(self._random.expovariate(1 / 25)), 600)
            self._session(min(jobs, self._size.jobs - self._next["job"] + 1), raw)
            if len(self._rows[job, _JOB]) >= _AT_ONCE:
                yield self._taken()
        yield self._taken()
        yield from self._nodes()

    def _raw_artifacts(self) -> array[int]:
        """What nobody made, and is read: the first is the dataset, the next are popular."""
        number = self._id("session")
        self._session_row(number)
        found = array("q", (self._artifact(number) for _ in range(self._size.raw)))
        self._dataset = self._digest_of_first.hex()
        return found

    def _session(self, jobs: int, raw: array[int]) -> None:
        number = self._id("session")
        self._session_row(number)
        chance = self._random.random
        pick = self._random.randrange
        share = self._size.dataset_readers / self._size.jobs
        before: list[int] = []
        last: list[int] = []
        for step in range(jobs):
            reads = set(last[:2])
            if before:
                reads.add(before[pick(len(before))])
            reads.add(raw[1 + int(POPULAR * chance() ** 3)])
            if chance() < 0.5:
                reads.add(raw[pick(1 + POPULAR, len(raw))])
            left = self._size.jobs - self._next["job"] + 1
            if self._readers < self._size.dataset_readers and (
                chance() < share or self._size.dataset_readers - self._readers >= left
            ):
                reads.add(raw[0])
                self._readers += 1
            last = [self._artifact(number) for _ in range(2 + pick(3) if chance() < 0.92 else 2)]
            self._job(number, step, sorted(reads), last)
            before = [*before[-40:], *last]

    def _layered_session(self, raw: array[int]) -> None:
        """Layers of jobs, each of which reads two of the layer before; one job reads the last."""
        number = self._id("session")
        self._session_row(number)
        layer = [raw[1 + POPULAR + n] for n in range(WIDTH)]
        for depth in range(LAYERS):
            written = []
            for place in range(WIDTH):
                made = self._artifact(number)
                reads = sorted((layer[place], layer[(place + 1) % WIDTH]))
                self._job(number, depth, reads, [made])
                written.append(made)
            layer = written
        result = self._artifact(number)
        self._deepest = self._digest.hex()
        self._job(number, LAYERS, sorted(layer), [result])

    def _session_row(self, number: int) -> None:
        at_us = _BEGAN_US + 60_000_000 * self._next["job"]
        row = (
            *(number, self._random.randbytes(32), 0, "public", "https://example.org/lab/project"),
            *(_COMMIT, "main", "0.1.0", at_us, self._leaf("session")),
        )
        self._add(session, _SESSION, row)

    def _job(self, owner: int, step: int, reads: list[int], written: list[int]) -> None:
        number = self._id("job")
        row = (
            *(number, self._random.randbytes(16), 0, owner, "run", step + 1),
            COMMANDS[number % len(COMMANDS)].format(number),
            *(_BEGAN_US + 1_000_000 * number, 900_000, 0, _COMMIT, "main"),
            *(METADATA, self._leaf("job")),
        )
        self._add(job, _JOB, row)
        for artifact_id in reads:
            self._add(edge, _EDGE, (number, "in", artifact_id, 0, f"/data/in/{artifact_id}"))
        for artifact_id in written:
            self._add(edge, _EDGE, (number, "out", artifact_id, 0, f"/data/out/{artifact_id}"))
        self._edges += len(reads) + len(written)

    def _artifact(self, session_id: int) -> int:
        number = self._id("artifact")
        self._digest = self._random.randbytes(32)
        if number == 1:
            self._digest_of_first = self._digest
        if number % max(1, self._size.jobs // 2_000) == 0:
            self._some.append(self._digest.hex())
        self._add(artifact, _ARTIFACT, (number, self._digest, "blake3"))
        self._add(artifact_fact, _FACT, (number, session_id, number * 7, self._leaf("artifact")))
        return number

    def _leaf(self, kind: str) -> int:
        index = len(self._hashes) // 32
        digest = self._random.randbytes(32)
        self._hashes += digest
        self._add(leaf, _LEAF, (index, digest, kind, _BEGAN_US))
        return index

    def _nodes(self) -> Iterator[Batch]:
        """The inner nodes of the log, level by level."""
        level, below = 1, bytes(self._hashes)
        while len(below) >= 64:
            above = bytearray()
            for index in range(len(below) // 64):
                digest = hashlib.sha256(b"\1" + below[64 * index : 64 * index + 64]).digest()
                above += digest
                self._add(node, _NODE, (level, index, digest))
                if index % (10 * _AT_ONCE) == 0:
                    yield self._taken()
            yield self._taken()
            level, below = level + 1, bytes(above)

    def _id(self, of: str) -> int:
        number = self._next[of]
        self._next[of] = number + 1
        return number

    def _add(self, table: sa.Table, columns: tuple[str, ...], row: tuple[Any, ...]) -> None:
        self._rows.setdefault((table, columns), []).append(row)

    def _taken(self) -> Batch:
        rows, self._rows = self._rows, {}
        # What refers to others comes behind them.
        order = [session, artifact, artifact_fact, job, edge, leaf, node]
        return dict(sorted(rows.items(), key=lambda item: order.index(item[0][0])))

"""Which tags an artifact has: its own, and those its makers' inputs had; these are not stored.

A tag passes from what a job read to all that it wrote: always when it was put there by a user
(*bound*), and as far as the session reaches when it was inherited itself or comes of `--add-tag`.
A result that a task got of another one, without a file between them, carries tags like bytes.
Because it is asked of the graph and not written down, a tag put on old data is on all that was made
of them at once, and one taken off is gone.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from typing import NamedTuple

from roar_core.lineage.closure import upstream
from roar_core.store.composites import members_of
from roar_core.store.tags import Tag, standing_events

# BLAKE3 of nothing: empty files are all alike, and no part of each other.
_EMPTY = bytes.fromhex("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
_NONE: frozenset[Tag] = frozenset()
# Stands for an artifact where a result passed that was none.
_RESULT = -1


class Held(NamedTuple):
    """A tag of an artifact. `sessions`: those in which it was inherited; it stays in them."""

    tag: Tag
    is_bound: bool
    sessions: tuple[int, ...]


class Hop(NamedTuple):
    """A step of the way a tag came. Either is None where the way begins or ends without it.

    `job` passed the tag on to `artifact`, or got it from there; see `TagGraph.way`. After the first
    hop no artifact means that the job got the result of the one before.
    """

    job: int | None
    artifact: int | None


class TagGraph:
    """Tags around some jobs and artifacts; made for one question."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._spread = _Spread(db)
        self._adds: dict[int, set[Tag]] = defaultdict(set)
        self._blocks: dict[int, set[Tag]] = defaultdict(set)
        for job, action, kind, value in db.execute("SELECT job, action, kind, value FROM job_tag"):
            (self._adds if action == "add" else self._blocks)[job].add(Tag(kind, value))
        self._tags: dict[int, frozenset[Tag]] = {}
        self._session: dict[int, int] = {}
        self._inputs: dict[int, set[int]] = defaultdict(set)
        # Who passed something on, and the artifact; -1 for a result that was none.
        self._sources: dict[int, set[tuple[int, int]]] = defaultdict(set)

    def of_job(self, job: int) -> frozenset[Tag]:
        """The tags of everything that a job wrote."""
        self._evaluate([job])
        return self._tags.get(job, _NONE)

    def of_artifact(self, artifact: int, makers: Iterable[int] = ()) -> list[Held]:
        """The tags of an artifact, sorted; `makers` are jobs that wrote it as part of a dataset."""
        writers = self._writers(artifact, makers)
        self._evaluate(writers)
        bound = self._spread.bound(artifact)
        sessions: dict[Tag, set[int]] = {tag: set() for tag in bound}
        for job in writers:
            for tag in self._tags.get(job, _NONE) - self._spread.removed(artifact):
                sessions.setdefault(tag, set()).add(self._session[job])
        return [Held(tag, tag in bound, tuple(sorted(sessions[tag]))) for tag in sorted(sessions)]

    def way(self, tag: Tag, *, artifact: int | None = None, job: int | None = None) -> list[Hop]:
        """The shortest way by which `tag` came to an artifact, or to what a job wrote.

        The first hop is where it was put: on an artifact, or by a job (`--add-tag`). Each further
        one is a job that passed it on, with the artifact it read it of. Empty: it has no such tag.
        """
        starts = [job] if job is not None else []
        if artifact is not None:
            if tag in self._spread.bound(artifact):
                return [Hop(None, self._spread.origin(artifact, tag))]
            if tag in self._spread.removed(artifact):
                return []
            starts = self._writers(artifact, ())
        self._evaluate(starts)
        before: dict[int, Hop | None] = {
            start: None for start in starts if tag in self._tags.get(start, _NONE)
        }
        waiting = deque(before)
        while waiting:
            here = waiting.popleft()
            if tag in self._adds[here]:
                return [Hop(here, None), *self._back(before, here)]
            for read in sorted(self._inputs[here]):
                if tag in self._spread.bound(read):
                    origin = Hop(None, self._spread.origin(read, tag))
                    return [origin, Hop(here, read), *self._back(before, here)]
            for source, read in sorted(self._sources[here]):
                if source not in before and tag in self._passed(source, here, read):
                    before[source] = Hop(here, None if read == _RESULT else read)
                    waiting.append(source)
        return []

    def _back(self, before: dict[int, Hop | None], job: int) -> list[Hop]:
        hops = []
        hop = before[job]
        while hop is not None and hop.job is not None:
            hops.append(hop)
            hop = before[hop.job]
        return hops

    def _writers(self, artifact: int, makers: Iterable[int]) -> list[int]:
        rows = self._db.execute(
            "SELECT DISTINCT edge.job FROM edge JOIN job ON job.id = edge.job "
            "WHERE edge.artifact = ? AND edge.direction = 1 AND job.undone_at_ns IS NULL",
            (artifact,),
        )
        return list(dict.fromkeys([*(row[0] for row in rows), *makers]))

    def _passed(self, source: int, reader: int, artifact: int) -> frozenset[Tag]:
        """What a job's reader inherits of it by one artifact."""
        if self._session[source] != self._session[reader]:
            return _NONE
        return self._tags.get(source, _NONE) - self._spread.removed(artifact)

    def _evaluate(self, jobs: Collection[int]) -> None:
        if not (self._spread.is_used or self._adds):
            self._load(jobs)
            return
        closure = upstream(self._db, jobs)
        new = [job for job in closure.distances if job not in self._tags]
        self._load(new)
        readers: dict[int, set[int]] = defaultdict(set)
        for consumer, producer, artifact, is_result in closure.passings:
            if artifact is not None or is_result:
                self._sources[consumer].add((producer, _RESULT if artifact is None else artifact))
                readers[producer].add(consumer)
        # Producers are mostly older; a reader is looked at again when one of its makers gains tags.
        waiting = deque(sorted(new))
        queued = set(new)
        while waiting:
            job = waiting.popleft()
            queued.discard(job)
            found = self._of_inputs(job)
            if found != self._tags.get(job):
                self._tags[job] = found
                for reader in readers[job] - queued:
                    waiting.append(reader)
                    queued.add(reader)

    def _of_inputs(self, job: int) -> frozenset[Tag]:
        found: set[Tag] = set()
        for artifact in self._inputs[job]:
            found.update(self._spread.bound(artifact))
        for source, artifact in self._sources[job]:
            found |= self._passed(source, job, artifact)
        blocked = self._blocks[job]
        kept = {t for t in found if t not in blocked and Tag(t.kind, "") not in blocked}
        return frozenset(kept | self._adds[job])

    def _load(self, jobs: Iterable[int]) -> None:
        """Read the sessions and the inputs of jobs."""
        import json

        wanted = json.dumps(list(jobs))
        self._session |= self._db.execute(
            "SELECT id, session FROM job WHERE id IN (SELECT value FROM json_each(?))", (wanted,)
        ).fetchall()
        for job, artifact in self._db.execute(
            "SELECT job, artifact FROM json_each(?) CROSS JOIN edge ON edge.job = value "
            "WHERE direction = 0 AND artifact IS NOT NULL",
            (wanted,),
        ):
            self._inputs[job].add(artifact)


class _Spread:
    """Tags that users put on artifacts, also seen on datasets that share bytes with these."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._own: dict[int, frozenset[Tag]] = {}
        self._removed: dict[int, frozenset[Tag]] = {}
        for artifact, tags in standing_events(db).items():
            own = frozenset(t for t, action in tags.items() if action in ("add", "bind"))
            if own:
                self._own[artifact] = own
            gone = frozenset(t for t, action in tags.items() if action == "remove")
            if gone:
                self._removed[artifact] = gone
        self._parts: dict[int, frozenset[bytes]] = {}
        self._bound: dict[int, dict[Tag, int]] = {}

    @property
    def is_used(self) -> bool:
        """Whether anything is tagged at all."""
        return bool(self._own)

    def bound(self, artifact: int) -> Collection[Tag]:
        return self._origins(artifact).keys()

    def removed(self, artifact: int) -> frozenset[Tag]:
        return self._removed.get(artifact, _NONE)

    def origin(self, artifact: int, tag: Tag) -> int:
        """The artifact that a user put the tag on."""
        return self._origins(artifact)[tag]

    def _origins(self, artifact: int) -> dict[Tag, int]:
        if artifact not in self._bound:
            found = dict.fromkeys(self._own.get(artifact, _NONE), artifact)
            for other, tags in self._own.items():
                if other != artifact and not tags <= found.keys():
                    parts = self._parts_of(artifact)
                    if not parts.isdisjoint(self._parts_of(other)):
                        found = dict.fromkeys(tags, other) | found
            for tag in self.removed(artifact):
                found.pop(tag, None)
            self._bound[artifact] = found
        return self._bound[artifact]

    def _parts_of(self, artifact: int) -> frozenset[bytes]:
        """The digests of an artifact's bytes: of a dataset those of its members."""
        if artifact not in self._parts:
            members = members_of(self._db, artifact)
            if members is not None:
                parts = {digest for _, digest in members.pairs(None)}
            else:
                row = self._db.execute(
                    "SELECT blake3 FROM artifact WHERE id = ?", (artifact,)
                ).fetchone()
                parts = {row[0]} if row and row[0] else set()
            self._parts[artifact] = frozenset(parts - {_EMPTY})
        return self._parts[artifact]

"""Questions about members of datasets: where some bytes are one, and who touched them there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from roar_core.errors import NotFoundError
from roar_core.identity import BloomFilter, portable_name
from roar_core.model.job import Step
from roar_core.store.artifacts import Artifacts, artifacts_by_digest
from roar_core.store.composites import members_of
from roar_core.store.member_lists import MemberList, is_set
from roar_core.store.rows import INPUT, from_sql, path_from_sql, path_to_sql

if TYPE_CHECKING:
    from roar_core.model.composite import Component
    from roar_core.store.found import Answer, MemberInfo, Use


class Members(Artifacts):
    """What is known of the members of datasets."""

    def components(self, dataset: str) -> tuple[Component, ...]:
        """The members of a dataset by its `composite-…:<hex>`, by name.

        Raises NotFoundError when there is no such dataset, or its members are not kept.
        """
        with self.snapshot() as db:
            return tuple(_members(db, dataset))

    def touched_members(self, uid: str, path: str, project: str) -> frozenset[str] | None:
        """The names of a dataset's members that a job read at `path`; None: all, or not known."""
        with self.snapshot() as db:
            row = db.execute(
                "SELECT edge.artifact, used.bitmap FROM edge JOIN job ON job.id = edge.job "
                "JOIN composite_use used ON used.edge = edge.id "
                "WHERE job.uid = ? AND edge.direction = ? AND edge.path = ?",
                (uid, INPUT, path_to_sql(path, project)),
            ).fetchone()
            members = None if row is None else members_of(db, row[0])
            if row is None or row[1] is None or members is None:
                return None
            names = (name for name, _ in members.pairs(row[1]))
            return frozenset(name.decode("utf-8", "surrogateescape") for name in names)

    def contains(self, dataset: str, digest: str) -> Answer:
        """Whether bytes of this BLAKE3 digest (hex) are a member of a dataset.

        Raises NotFoundError when there is no such dataset.
        """
        from roar_core.store.found import Answer

        with self.snapshot() as db:
            members = members_of(db, _artifact(db, dataset))
            if members is not None:
                found = members.indexes_of(bytes.fromhex(digest))
                paths = tuple(members.path(index) for index in found)
                return Answer("yes" if paths else "no", paths)
            row = db.execute(
                "SELECT bloom_bits, bloom_hashes, bloom FROM composite WHERE artifact = ?",
                (_artifact(db, dataset),),
            ).fetchone()
        maybe = row is not None and BloomFilter(*row).may_contain("blake3", digest)
        return Answer("perhaps" if maybe else "no")

    def member_with_digest(self, prefix: str) -> MemberInfo | None:
        """Bytes that are a member of some dataset, by the beginning of their BLAKE3 digest (hex).

        Raises NotFoundError when several members' digests begin so.
        """
        start = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        with self.snapshot() as db:
            found: set[str] = set()
            for (artifact,) in db.execute(
                "SELECT artifact FROM composite WHERE instr(digests, ?) > 0", (start,)
            ):
                members = members_of(db, artifact)
                if members is not None:
                    digests = (members.digest(index).hex() for index in members.indexes_of(start))
                    found.update(digest for digest in digests if digest.startswith(prefix))
            if len(found) > 1:
                names = ", ".join(f"blake3:{digest[:16]} (member)" for digest in sorted(found)[:5])
                raise NotFoundError(f"{prefix!r} is ambiguous: {names}")
            return _member_info(db, found.pop()) if found else None

    def member_at(self, path: str, project: str) -> MemberInfo | None:
        """What a member of a recorded dataset held at this absolute path when last recorded."""
        with self.snapshot() as db:
            above = path
            while "/" in above.strip("/"):
                above = above.rpartition("/")[0]
                for (artifact,) in db.execute(
                    "SELECT DISTINCT edge.artifact FROM edge JOIN job ON job.id = edge.job "
                    "WHERE edge.path = ? AND edge.kind = 'composite' "
                    "AND job.undone_at_ns IS NULL ORDER BY edge.id DESC LIMIT 100",
                    (path_to_sql(above, project),),
                ):
                    members = members_of(db, artifact)
                    if members is None:
                        continue
                    index = members.index(portable_name(path[len(above) + 1 :]))
                    if index is not None:
                        return _member_info(db, members.digest(index).hex())
        return None


def _artifact(db: sqlite3.Connection, dataset: str) -> int:
    algorithm, _, value = dataset.partition(":")
    for artifact in artifacts_by_digest(db, algorithm, value):
        return artifact
    raise NotFoundError(f"no dataset {dataset} is recorded here")


def _members(db: sqlite3.Connection, dataset: str) -> MemberList:
    members = members_of(db, _artifact(db, dataset))
    if members is None:
        raise NotFoundError(
            f"the members of {dataset} are not kept: it is no dataset, or has more members than "
            "composites.components_max"
        )
    return members


def _member_info(db: sqlite3.Connection, digest: str) -> MemberInfo:
    from roar_core.store.found import MemberInfo, Membership

    raw = bytes.fromhex(digest)
    memberships: list[Membership] = []
    size = 0
    for artifact, layout, algorithm, value in db.execute(
        "SELECT composite.artifact, layout, digest.algorithm, digest.value FROM composite "
        "JOIN digest ON digest.artifact = composite.artifact "
        "AND digest.algorithm LIKE 'composite-%' WHERE instr(digests, ?) > 0 "
        "ORDER BY composite.artifact DESC",
        (raw,),
    ).fetchall():
        members = members_of(db, artifact)
        if members is None:
            continue
        for index in members.indexes_of(raw):
            size = members.size(index)
            uses = list(_uses(db, artifact, index))
            memberships.append(
                Membership(
                    dataset=f"{algorithm}:{value}",
                    layout=layout,
                    path=members.path(index),
                    producers=tuple(use for is_input, use in uses if not is_input),
                    consumers=tuple(use for is_input, use in uses if is_input),
                )
            )
    return MemberInfo(f"blake3:{digest}", size, tuple(memberships))


def _uses(db: sqlite3.Connection, artifact: int, index: int) -> Iterator[tuple[bool, Use]]:
    """Jobs that touched one member of a dataset, newest first, and whether they read it."""
    from roar_core.store.found import Use

    for direction, bitmap, uid, session, number, is_build, attempt, project, path in db.execute(
        "SELECT edge.direction, used.bitmap, job.uid, job.session, job.step_number, "
        "job.step_is_build, job.attempt, job.project, edge.path FROM edge "
        "JOIN composite_use used ON used.edge = edge.id JOIN job ON job.id = edge.job "
        "WHERE edge.artifact = ? AND job.undone_at_ns IS NULL ORDER BY job.id DESC",
        (artifact,),
    ):
        if is_set(bitmap, index):
            step = None if number is None else Step(number, bool(is_build), attempt)
            place = path_from_sql(path, from_sql(project), "composite")
            yield direction == INPUT, Use(uid, session, step, place, "composite")

"""What a REF argument asks about: the jobs that a walk begins with, and the artifacts meant."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from roar_core.errors import NotFoundError
from roar_core.lineage.session import find_session

if TYPE_CHECKING:
    from roar_core.project import Project
    from roar_core.store.found import ArtifactInfo, MemberInfo, PathHistory, Use
    from roar_core.store.writer import Store

_SESSION = re.compile(r"session:(?P<number>-?[0-9]{1,9}|current)")


class Target(NamedTuple):
    """What a reference names, by ids of the database.

    `name` is how to call it, `hash` that of an artifact. `jobs` are the job itself, the jobs that
    made the artifact (the newest; of a dataset every writer of a member), or those of the session.
    `artifacts` are the artifact and the datasets that have it as a member; of a job what it wrote.
    """

    kind: str
    name: str
    hash: str | None
    jobs: tuple[int, ...]
    artifacts: tuple[int, ...]


def find_target(store: Store, ref: str, project: Project) -> Target:
    """The target of `@3`, a uid, a hash, a path or `session:2`.

    A path stands for the bytes it holds now where these are recorded, else for those it was last
    recorded with. Raises NotFoundError, which lists the candidates of an ambiguous prefix.
    """
    from roar_core.model.job import Job
    from roar_core.store.found import ArtifactInfo, MemberInfo, PathHistory

    session = _SESSION.fullmatch(ref)
    if session:
        return _session(store, session["number"])
    cwd = os.getcwd()  # noqa: PTH109 - bytes survive
    try:
        found: object = store.resolve(ref, cwd, os.fspath(project.root))
    except NotFoundError:
        path = os.path.realpath(ref)
        if ref.startswith("@") or not os.path.lexists(path):
            raise
        found = _by_content(store, path, ref)
    maker: str | None = None
    is_place = isinstance(found, PathHistory)
    if isinstance(found, PathHistory):
        found, maker = _held_now(store, found)
    with store.reading() as db:
        if isinstance(found, Job):
            job = _job_id(db, found.uid)
            name = str(found.step) if found.step else found.uid[:8]
            return Target("job", name, found.hash, (job,), _written(db, (job,)))
        if isinstance(found, MemberInfo):
            return _member(db, ref, found)
        assert isinstance(found, ArtifactInfo)
        if is_place and found.composite is None:
            makers = [] if maker is None else [_job_id(db, maker)]
        else:
            makers = _maker(db, found.producers)
        return _artifact(db, store, ref, found, makers)


def _held_now(store: Store, history: PathHistory) -> tuple[ArtifactInfo, str | None]:
    """The bytes at a path, and the job that made them."""
    from roar_core.lineage.recipe import recipe_of_history

    recipe = recipe_of_history(store, history, verify=False)
    if recipe.hash is None:
        raise NotFoundError(
            f"the bytes of {history.path!r} are not known: it changed before it could be hashed; "
            "name the job that read it (@N)"
        )
    return store.artifact(recipe.hash), None if recipe.producer is None else recipe.producer.uid


def _by_content(store: Store, path: str, ref: str) -> ArtifactInfo:
    """A file that nobody recorded at its path, by its bytes."""
    from roar_core.lineage.recipe import recipe_of_bytes

    recipe = recipe_of_bytes(store, path, repr(ref))
    assert recipe.hash is not None
    return store.artifact(recipe.hash)


def _session(store: Store, number: str) -> Target:
    with store.reading() as db:
        session = find_session(db, None if number == "current" else int(number))
        if session is None:
            raise NotFoundError("no session has begun here; start with: roar run <your command>")
        jobs = tuple(
            row[0]
            for row in db.execute(
                "SELECT id FROM job WHERE session = ? AND undone_at_ns IS NULL ORDER BY id DESC",
                (session.number,),
            )
        )
        return Target("session", f"session:{session.number}", None, jobs, _written(db, jobs))


def _artifact(
    db: sqlite3.Connection, store: Store, ref: str, found: ArtifactInfo, makers: list[int]
) -> Target:
    algorithm, _, value = found.hash.partition(":")
    query = "SELECT artifact FROM digest WHERE algorithm = ? AND value = ?"
    values: tuple[object, ...] = (algorithm, value)
    if algorithm == "blake3":
        query, values = "SELECT id FROM artifact WHERE blake3 = ?", (bytes.fromhex(value),)
    artifact = int(db.execute(query, values).fetchone()[0])
    if not makers and found.composite:
        makers = _makers_of_members(db, artifact)
    holding: tuple[int, ...] = ()
    member = store.member_with_digest(value) if algorithm == "blake3" else None
    if member is not None:
        whole = _member(db, ref, member)
        makers, holding = makers or list(whole.jobs), whole.artifacts
    return Target("artifact", ref, found.hash, tuple(makers), (artifact, *holding))


def _maker(db: sqlite3.Connection, producers: Sequence[Use]) -> list[int]:
    """The newest that made the bytes: a put only copied them."""
    for use in producers:
        job, kind = db.execute("SELECT id, kind FROM job WHERE uid = ?", (use.uid,)).fetchone()
        if kind != "put":
            return [int(job)]
    return [_job_id(db, use.uid) for use in producers[:1]]


def _member(db: sqlite3.Connection, ref: str, found: MemberInfo) -> Target:
    makers = [_job_id(db, use.uid) for place in found.memberships for use in place.producers]
    holding = [
        row[0]
        for place in found.memberships
        if any(place.consumers)
        for row in db.execute(
            "SELECT artifact FROM digest WHERE algorithm = ? AND value = ?",
            place.dataset.split(":"),
        )
    ]
    return Target("artifact", ref, found.hash, tuple(makers[:1]), tuple(dict.fromkeys(holding)))


def _makers_of_members(db: sqlite3.Connection, artifact: int) -> list[int]:
    """Who wrote members of a dataset that was only read as a whole."""
    rows = db.execute(
        "SELECT producer FROM passing WHERE artifact = ? ORDER BY producer DESC", (artifact,)
    )
    return list(dict.fromkeys(row[0] for row in rows))


def _job_id(db: sqlite3.Connection, uid: str) -> int:
    return int(db.execute("SELECT id FROM job WHERE uid = ?", (uid,)).fetchone()[0])


def _written(db: sqlite3.Connection, jobs: Iterable[int]) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for job in jobs:
        rows = db.execute(
            "SELECT artifact FROM edge WHERE job = ? AND direction = 1 AND artifact IS NOT NULL",
            (job,),
        )
        found |= dict.fromkeys(row[0] for row in rows)
    return tuple(found)

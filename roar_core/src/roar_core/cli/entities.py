"""What a REF given to `label` or `tag` is attached to: a job, an artifact or a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from roar_core.errors import NotFoundError

if TYPE_CHECKING:
    from roar_core.project import Project
    from roar_core.store.labels import EntityKind
    from roar_core.store.writer import Store


class Entity(NamedTuple):
    """A row of the database. `name` is how to call it; `hash` that of a job or an artifact.

    `makers` are jobs that made an artifact, by their ids, those that wrote a dataset around it too.
    """

    kind: EntityKind
    id: int
    name: str
    hash: str | None
    makers: tuple[int, ...] = ()


def find_entity(store: Store, ref: str, project: Project) -> Entity:
    """What `ref` names: see `find_target`. Raises `NotFoundError`."""
    from roar_core.lineage.target import find_target
    from roar_core.store.artifacts import artifacts_by_digest

    target = find_target(store, ref, project)
    if target.kind == "session":
        return Entity("session", int(target.name.removeprefix("session:")), target.name, None)
    if target.kind == "job":
        return Entity("job", target.jobs[0], target.name, target.hash)
    assert target.hash is not None
    algorithm, _, value = target.hash.partition(":")
    with store.reading() as db:
        found = artifacts_by_digest(db, algorithm, value)
    if not found:
        raise NotFoundError(
            f"{ref!r} is recorded as a member of a dataset only; name the dataset instead"
        )
    return Entity("artifact", found[0], target.name, target.hash, target.jobs)

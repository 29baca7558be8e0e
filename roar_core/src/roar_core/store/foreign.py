"""What was recorded elsewhere, as values: sessions, artifacts and jobs that are to be imported."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from roar_core.errors import RoarError
from roar_core.identity import BloomFilter, portable_name
from roar_core.model.composite import Component
from roar_core.model.job import Job


class ForeignSession(NamedTuple):
    """A session by its name in every graph, its number where it was recorded, and its start."""

    origin: str
    number: int
    started_at_ns: int


class ForeignArtifact(NamedTuple):
    """Bytes; of a dataset its layout, and its members or, where only that is kept, a filter."""

    digests: Mapping[str, str]
    size: int
    first_seen_ns: int
    labels: Mapping[str, Any]
    layout: str | None = None
    member_count: int = 0
    members: tuple[Component, ...] | None = None
    bloom: BloomFilter | None = None


class ForeignTask(NamedTuple):
    """Which attempt at which task a child job is; the fields are those of the table `task`."""

    backend: str
    task: str
    attempt: int
    place: str
    role: str
    group: str
    is_declared: bool


class ForeignJob(NamedTuple):
    """A job with the origin of its session, and, of datasets it touched in part, which members.

    `bits` maps (is output, path) to a bit for each member, lowest first. `needs` are the uids of
    the tasks whose results it got.
    """

    job: Job
    origin: str
    bits: Mapping[tuple[bool, str], bytes]
    task: ForeignTask | None = None
    needs: tuple[str, ...] = ()


def members_from(rows: Iterable[tuple[str, str, int, Any]]) -> tuple[Component, ...]:
    """Members from (name, hash, size, kind)."""
    return tuple(
        Component(portable_name(path), name.rpartition(":")[2], size, kind)
        for path, name, size, kind in rows
    )


def bits_from(encoded: str) -> bytes:
    """The bits of a dataset's touched members from base64. Raises RoarError."""
    try:
        return b64decode(encoded, validate=True)
    except ValueError as error:
        raise RoarError(f"{encoded[:40]!r} in the graph is no base64") from error

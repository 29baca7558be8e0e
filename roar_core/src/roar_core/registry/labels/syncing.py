"""Bring the labels of what is registered to the same on both sides: here and at the registry.

One request asks about everything at once: a change of the version that both had last is possible
or not, and only what is not was changed there too and is read. Secrets are masked before anything
is compared, so that what was masked there never comes back in place of what is here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from roar_core.errors import ConflictError, RegistryError, UnauthorisedError, UnreachableError
from roar_core.registry.answers import object_of
from roar_core.registry.labels.documents import (
    Labelled,
    Labels,
    artifact_name,
    artifacts_of,
    labels_of,
)
from roar_core.registry.labels.editing import reconciling
from roar_core.registry.labels.merging import Conflict, Merge, applied, merge, nested
from roar_core.registry.labels.reading import read_all
from roar_core.registry.labels.targets import Target, jobs_of
from roar_core.store.label_agreements import Agreement, keep_agreement, read_agreement
from roar_core.store.label_documents import flattened, merged, users_own, without
from roar_core.store.labels import EntityKind, change_labels

if TYPE_CHECKING:
    import sqlite3

    from roar_core.registry.connection import Connection
    from roar_core.store.database import Database

T = TypeVar("T")
Decide = Callable[[Conflict], str]

_AT_ONCE = 500
_FORBIDDEN, _TOO_LARGE = 403, 413
_VERSION_END = 2**53
_ATTEMPTS = 3


@attrs.frozen
class Step:
    """What is to be done about the labels of one thing.

    `version` is the registry's that this was made of; `agreed` are the keys both have afterwards.
    `is_news`: that version was not known here.
    """

    target: Target
    merge: Merge
    version: int
    agreed: Mapping[str, Any]
    masked: tuple[str, ...] = ()
    is_news: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The change, as `labels/reconcile` takes it."""
        return self.target.named | {
            "metadata": nested(self.merge.push),
            "deleted_keys": list(self.merge.push_deleted),
            "base_version": self.version,
        }


def plan(
    connection: Connection,
    db: sqlite3.Connection,
    targets: Iterable[Target],
    decide: Decide = lambda conflict: "",
    refused: dict[str, str] | None = None,
) -> list[Step]:
    """What there is to do, in the order of `targets`; nothing is changed anywhere.

    Steps that have nothing to do, and nothing to remember, are not among them. Into `refused` go
    the sessions whose labels the caller may not change, and why. Raises RegistryError.
    """
    refused = {} if refused is None else refused
    return [
        step
        for some in _groups(targets, _AT_ONCE)
        for step in _allowed(connection, db, some, decide, refused)
        if step.is_news or not step.merge.is_nothing
    ]


def _allowed(
    connection: Connection,
    db: sqlite3.Connection,
    targets: Sequence[Target],
    decide: Decide,
    refused: dict[str, str],
) -> list[Step]:
    """The steps of what the caller may change; other sessions are noted in `refused`.

    What is public serves everybody who has the same work, whoever registered it.
    """
    try:
        return list(_compared(connection, db, targets, decide))
    except UnauthorisedError as error:
        if error.status != _FORBIDDEN:
            raise
        sessions = {target.session_hash for target in targets}
        if len(sessions) == 1:
            refused[sessions.pop()] = str(error)
            return []
    return [
        step
        for session in dict.fromkeys(target.session_hash for target in targets)
        for step in _allowed(
            *(connection, db, [one for one in targets if one.session_hash == session]),
            *(decide, refused),
        )
    ]


def carry_out(connection: Connection, database: Database, steps: Sequence[Step]) -> None:
    """Change both sides; steps with conflicts are left as they are. Raises RegistryError.

    Raises ConflictError when somebody was quicker: then nothing of the same hundreds was changed,
    and a new plan tells what there is to do.
    """
    for some in _groups([step for step in steps if not step.merge.conflicts], _AT_ONCE):
        sent = [step for step in some if step.merge.sends]
        answer = _asked(connection, [step.body for step in sent], dry_run=False)
        rows = {step.target: row for step, row in zip(sent, answer, strict=True)}
        now = time.time_ns()
        with database.writing() as db:
            for step in some:
                _take_over(db, step, now)
                version = rows[step.target]["version"] if step.target in rows else step.version
                assert step.target.entity is not None
                agreement = Agreement(version, nested(step.agreed))
                place = (connection.url, step.target.session_hash)
                keep_agreement(db, step.target.kind, step.target.entity, *place, agreement, now)


def synchronise(
    connection: Connection,
    database: Database,
    targets: Sequence[Target],
    decide: Decide = lambda conflict: "",
) -> list[Step]:
    """Plan and carry out, again when somebody was quicker; returns the steps of the last plan."""
    for attempt in range(_ATTEMPTS):
        with database.reading() as db:
            steps = plan(connection, db, targets, decide)
        try:
            carry_out(connection, database, steps)
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        break
    return steps


def note_sent(
    db: sqlite3.Connection,
    registry: str,
    session_hash: str,
    labelled: Labelled,
    uids: Collection[str],
    now_ns: int,
) -> None:
    """Remember that a registry was just sent these labels of these jobs and of all that these read
    and wrote; inside a transaction."""
    jobs = jobs_of(db, uids)
    sent: list[tuple[EntityKind, int, Labels]] = [
        ("job", jobs[uid], labels) for uid, labels in labelled.jobs.items() if uid in jobs
    ]
    near = artifacts_of(db, list(jobs.values())) if labelled.artifacts else []
    for artifact in near:
        labels = labelled.artifacts.get(artifact_name(db, artifact) or "")
        if labels is not None:
            sent.append(("artifact", artifact, labels))
    if labelled.session is not None and labelled.number is not None:
        sent.append(("session", labelled.number, labelled.session))
    for kind, entity, labels in sent:
        # A session that was there before may have more versions: then they are asked for.
        agreement = Agreement(1, labels.own)
        keep_agreement(db, kind, entity, registry, session_hash, agreement, now_ns)


def _compared(
    connection: Connection, db: sqlite3.Connection, targets: Sequence[Target], decide: Decide
) -> Iterator[Step]:
    ours: dict[Target, tuple[dict[str, Any], tuple[str, ...]]] = {}
    bases: dict[Target, Agreement] = {}
    for target in targets:
        assert target.entity is not None
        labels = labels_of(db, target.kind, target.entity, redactor=connection.redactor)
        own = dict(flattened(labels.own)) if labels else {}
        ours[target] = (own, labels.masked if labels else ())
        place = (connection.url, target.session_hash)
        bases[target] = read_agreement(db, target.kind, target.entity, *place)
    first = {
        target: _step(target, bases[target], *ours[target], base_of(bases[target]), decide)
        for target in targets
    }
    rows = _asked(connection, [first[target].body for target in targets], dry_run=True)
    both = list(zip(targets, rows, strict=True))
    changed = [target for target, row in both if row["action"] == "conflict"]
    news = dict(zip(changed, read_all(connection, changed), strict=True))
    for target, row in both:
        if row["action"] != "conflict":
            yield first[target]
            continue
        theirs = news[target]
        agreement = Agreement(theirs.version, bases[target].labels)
        own = dict(flattened(users_own(nested(theirs.leaves))))
        yield attrs.evolve(_step(target, agreement, *ours[target], own, decide), is_news=True)


def base_of(agreement: Agreement) -> dict[str, Any]:
    """The keys that both sides had last."""
    return dict(flattened(agreement.labels))


def _step(
    target: Target,
    agreement: Agreement,
    ours: Mapping[str, Any],
    masked: tuple[str, ...],
    theirs: Mapping[str, Any],
    decide: Decide,
) -> Step:
    found = merge(base_of(agreement), ours, theirs, decide)
    agreed = applied(theirs, found.push, found.push_deleted)
    return Step(target, found, agreement.version, agreed, masked if found.sends else ())


def _take_over(db: sqlite3.Connection, step: Step, now_ns: int) -> None:
    pull, gone = step.merge.pull, step.merge.pull_deleted
    if not pull and not gone:
        return

    def change(labels: dict[str, Any]) -> dict[str, Any]:
        for key in gone:
            less = without(labels, tuple(key.split(".")))
            labels = labels if less is None else less
        return merged(labels, nested(pull))

    assert step.target.entity is not None
    change_labels(db, step.target.kind, step.target.entity, change, now_ns)


def _asked(
    connection: Connection, labels: list[dict[str, Any]], *, dry_run: bool
) -> list[Mapping[str, Any]]:
    """The rows of an answer, one for each label in its order."""
    if not labels:
        return []
    try:
        answer = connection.post("labels/reconcile", reconciling(labels, dry_run=dry_run))
    except RegistryError as error:
        if error.status != _TOO_LARGE or len(labels) == 1:
            raise
        half = len(labels) // 2
        parts = (labels[:half], labels[half:])
        return [row for some in parts for row in _asked(connection, some, dry_run=dry_run)]
    rows = object_of(answer).get("results")
    if not isinstance(rows, list) or len(rows) != len(labels):
        raise UnreachableError(f"{connection.url} does not answer about labels as a registry does")
    for row in rows:
        version = object_of(row).get("version")
        if type(version) is not int or not 0 <= version < _VERSION_END or "action" not in row:
            raise UnreachableError(
                f"{connection.url} does not answer about labels as a registry does"
            )
    return rows


def _groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some

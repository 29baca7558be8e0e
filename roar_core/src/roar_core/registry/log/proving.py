"""Prove that what was registered is in the registry's log, and that the log goes on unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from roar_core.errors import LogError, UnregisteredError
from roar_core.registry.log.records import Logged, records_from
from roar_core.registry.log.remembered import Memory, memory_of
from roar_core.registry.log.visiting import Visit, visit
from roar_core.transparency.continuing import Seen
from roar_core.transparency.told import ToldError, number_of, seen_told

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

Edges = frozenset[tuple[str, str]]
"""("in" or "out", digest in hexadecimal) of all that a job read and wrote."""

_SHOWN = 3


@attrs.frozen
class Registered:
    """A session as it was registered: its jobs by uid, and what each read and wrote.

    None in place of the edges of a job: they are not compared. `leaf` is the number of the
    session's record where a registry told it, None: it is asked for.
    """

    session_hash: str
    jobs: Mapping[str, Edges | None]
    leaf: int | None = None


@attrs.frozen
class Proof:
    """The log holds it all, under a signed head of `size` leaves.

    `sessions` and `jobs` are numbers of leaves, by hash and by uid; `withheld` says why, for jobs
    whose record the registry's keeper destroyed. `is_first`: this log was never seen before, so
    that its beginning is taken on trust.
    """

    size: int
    sessions: Mapping[str, int] = attrs.field(factory=dict)
    jobs: Mapping[str, int] = attrs.field(factory=dict)
    withheld: Mapping[str, str] = attrs.field(factory=dict)
    is_first: bool = False


def prove(
    connection: Connection, environ: Mapping[str, str], sessions: Iterable[Registered] = ()
) -> Proof | None:
    """Check a registry's log against the head that is remembered, and that it holds `sessions`.

    None: it has no log, and never had one here. Then the new head is remembered. When anything
    does not hold, the old one is kept and LogError raised; RegistryError when it cannot be asked.
    """
    with memory_of(connection.url, environ) as memory:
        before = memory.recall()
        try:
            found = visit(connection, before)
            if found is None:
                return None
            problems = list(found.problems)
            proof = Proof(found.head.size, is_first=before is None)
            # Proofs to a head that is not signed prove nothing, and neither would their failing.
            for session in () if problems else sessions:
                proof, wrong = _with(connection, found, session, proof)
                problems += wrong
        except ToldError as error:
            raise _violation(memory, before, [str(error)]) from error
        if problems:
            raise _violation(memory, before, problems)
        memory.keep(seen_told(found.head, found.keys))
        return proof


def _with(
    connection: Connection, found: Visit, session: Registered, proof: Proof
) -> tuple[Proof, list[str]]:
    name = session.session_hash
    leaf = session.leaf
    if leaf is None:
        leaf = _leaf_of(connection, name)
    records, problems = records_from(connection, found, leaf)
    if problems:
        return proof, problems
    head, *others = records
    if head.withheld is None and not _is(head, "session", name):
        return proof, [f"record {leaf} is not that of session {name[:12]}"]
    places = {}
    withheld = dict(proof.withheld)
    jobs = {_uid(record): record for record in others}
    missing = []
    for uid, edges in session.jobs.items():
        record = jobs.get(uid)
        if record is None or not _is(record, "job", name):
            missing.append(uid)
            continue
        places[uid] = record.leaf
        if edges is not None and _edges(record) != edges:
            problems.append(f"record {record.leaf} does not say what job {uid[:8]} read and wrote")
    gone = [record.withheld for record in records if record.withheld is not None]
    if gone and missing:
        # Which of them was destroyed cannot be told any more: as many may be missing as were.
        withheld |= dict.fromkeys(missing[: len(gone)], "; ".join(dict.fromkeys(gone)))
        missing = missing[len(gone) :] if head.withheld is None else []
    problems += [f"the log does not hold job {uid[:8]} of session {name[:12]}" for uid in missing]
    proof = attrs.evolve(
        proof,
        sessions={**proof.sessions, name: leaf},
        jobs={**proof.jobs, **places},
        withheld=withheld,
    )
    return proof, problems


def _leaf_of(connection: Connection, session: str) -> int:
    try:
        return number_of(connection.get(f"log/sessions/{session}"), "leafIndex")
    except UnregisteredError:  # of a server that tells it with everything else alone
        return number_of(connection.get(f"sessions/{session}"), "logIndex")


def _is(record: Logged, kind: str, session: str) -> bool:
    said = record.document or {}
    return (said.get("kind"), said.get("session")) == (kind, session)


def _uid(record: Logged) -> str | None:
    job = (record.document or {}).get("job")
    uid = job.get("uid") if isinstance(job, dict) else None
    return uid if isinstance(uid, str) else None


def _edges(record: Logged) -> Edges:
    told: Any = (record.document or {}).get("edges")
    edges = [edge for edge in told if isinstance(edge, dict)] if isinstance(told, list) else []
    return frozenset((str(edge.get("direction")), str(edge.get("digest"))) for edge in edges)


def _violation(memory: Memory, before: Seen | None, problems: Sequence[str]) -> LogError:
    said = "; ".join(problems[:_SHOWN])
    if len(problems) > _SHOWN:
        said += f"; and {len(problems) - _SHOWN} more"
    kept = f"the head of {before.head.size} records is still remembered; " if before else ""
    return LogError(
        f"the log of {memory.url} does not hold what it must: {said}; {kept}trust nothing it says, "
        "and ask its keeper. If it was begun anew on purpose: roar registry forget",
        tuple(problems),
    )

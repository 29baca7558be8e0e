"""Prove what this database says is registered, and keep where in the log it lies."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from roar_core.registry.log.proving import Proof, Registered, prove
from roar_core.store.logged import edges_of_jobs, keep_logged

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection
    from roar_core.store.database import Database


def prove_sessions(
    connection: Connection,
    database: Database,
    environ: Mapping[str, str],
    sessions: Mapping[str, Collection[str]],
    leaves: Mapping[str, int] | None = None,
) -> Proof | None:
    """Check the registry's log, and that it holds these sessions: jobs (uids) by session hash.

    `leaves` are the numbers of sessions' records as far as they were told; others are asked for.
    Each job must have read and written there what is recorded here. None: there is no log. Raises
    LogError when something does not hold, RegistryError when the registry cannot be asked.
    """
    with database.reading() as db:
        edges = edges_of_jobs(db, [uid for uids in sessions.values() for uid in uids])
    proof = prove(
        connection,
        environ,
        [
            Registered(name, {uid: edges.get(uid) for uid in uids}, (leaves or {}).get(name))
            for name, uids in sessions.items()
        ],
    )
    if proof is not None and proof.jobs:
        now = time.time_ns()
        with database.writing() as db:
            for name, uids in sessions.items():
                found = {uid: proof.jobs[uid] for uid in uids if uid in proof.jobs}
                keep_logged(db, connection.url, name, found, proof.size, now)
    return proof

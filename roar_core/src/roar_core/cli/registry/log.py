"""`roar registry`: whether a registry keeps what it was told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.asking import agreed
from roar_core.cli.registry.reaching import json_option, reach, registry_config, url_option
from roar_core.errors import LogError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from roar_core.registry.connection import Connection
    from roar_core.registry.log.proving import Proof


@click.group()
def registry() -> None:
    """Check that a registry keeps what it was told: its log is signed, and only grows.

    Example: roar registry verify
    """


@registry.command(short_help="Check the log, and what it holds of ours.")
@url_option
@json_option
def verify(url: str | None, as_json: bool) -> int:
    """Check the registry's log again, and that it holds all that this project registered there.

    The newest head must be signed, and continue the log that was seen before; the record of each
    job must say what is recorded here. Exit 1, and the old head is kept, when anything is wrong.

    Example: roar registry verify
    """
    from roar_core.registry.log.keeping import prove_sessions
    from roar_core.registry.log.proving import prove
    from roar_core.store.database import Database
    from roar_core.store.logged import sessions_at

    with reach(registry_config(), url=url) as connection:
        sessions: dict[str, tuple[str, ...]] = {}
        problems: tuple[str, ...] = ()
        proof = None
        try:
            project = _project()
            if project is None:
                proof = prove(connection, os.environ)
            else:
                with Database.open(project) as database:
                    with database.reading() as db:
                        sessions = sessions_at(db, connection.url)
                    proof = prove_sessions(connection, database, os.environ, sessions)
        except LogError as error:
            if not as_json:
                raise
            problems = error.problems
    if as_json:
        output.data(_document(connection, sessions, proof, problems))
    elif proof is None:
        output.note(f"{connection.url} has no log, so nothing can be proven there")
    else:
        _tell(connection, sessions, proof)
    return 1 if problems else 0


@registry.command(short_help="Forget the log as it was seen.")
@url_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def forget(url: str | None, yes: bool) -> int:
    """Forget the registry's log as it was seen: the next one is taken on trust.

    Only for a registry whose keeper says that its log was begun anew.

    Example: roar registry forget --url https://registry.example.org
    """
    from roar_core.registry.log.remembered import memory_of

    with reach(registry_config(), url=url) as connection:
        name = connection.url
    if not agreed(f"forget the log of {name}, and trust the next one it shows?", yes=yes):
        return 1
    with memory_of(name, os.environ) as memory:
        if not memory.forget():
            output.note(f"nothing was remembered of {name}")
            return 1
    output.note(f"the log of {name} is forgotten")
    return 0


def _project() -> Path | None:
    from roar_core.project import existing_project, working_directory

    try:
        return existing_project(working_directory()).roar_dir
    except NotFoundError:
        return None


def _tell(connection: Connection, sessions: dict[str, tuple[str, ...]], proof: Proof) -> None:
    seen = "seen for the first time" if proof.is_first else "continues the one seen before"
    output.line(f"the log of {connection.url}, {proof.size:,} records, is signed and {seen}")
    if sessions:
        jobs = wording.count(len(proof.jobs), "job")
        output.line(f"it holds {wording.count(len(sessions), 'session')} of here with {jobs}")
    for uid, reason in proof.withheld.items():
        output.warn(f"the record of job {uid[:8]} was withheld by the registry's keeper: {reason}")


def _document(
    connection: Connection,
    sessions: dict[str, tuple[str, ...]],
    proof: Proof | None,
    problems: tuple[str, ...],
) -> dict[str, object]:
    from roar_core.cli.documents import document

    return document(
        "registry_log",
        registry=connection.url,
        ok=not problems,
        has_log=proof is not None or bool(problems),
        first_seen=proof is not None and proof.is_first,
        size=proof.size if proof else None,
        sessions=[
            {
                "session_hash": name,
                "log_index": proof.sessions.get(name) if proof else None,
                "jobs": [
                    {"uid": uid, "log_index": proof.jobs.get(uid) if proof else None}
                    for uid in uids
                ],
            }
            for name, uids in sessions.items()
        ],
        withheld=dict(proof.withheld) if proof else {},
        problems=list(problems),
    )

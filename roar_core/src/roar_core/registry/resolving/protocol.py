"""Ask a registry that only knows GLaaS v1: an artifact, its recipe, its readers, its members.

There a job cannot be asked for by its uid, and of what came of something only the next jobs are
told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from roar_core.errors import UnreachableError, UnregisteredError
from roar_core.registry.answers import objects_in
from roar_core.registry.resolving.asking import Answers, Direction, Document, Named

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

_HASH = 64
_MOST_DEEP = 100
# What it is called elsewhere: by the stock client's servers, and in lists of the next jobs.
_ALIASES = {
    "jobUid": "job_uid",
    "stepNumber": "step_number",
    "gitCommit": "git_commit",
    "gitBranch": "git_branch",
    "jobType": "job_type",
    "startedAt": "timestamp",
    "durationSeconds": "duration_seconds",
    "exitCode": "exit_code",
    "sessionHash": "session_hash",
}
_UNTOLD: Document = {
    "command": "",
    "stepNumber": 1,
    "gitCommit": "",
    "jobType": "run",
    "startedAt": 0.0,
    "durationSeconds": None,
    "exitCode": None,
    "metadata": "{}",
}


def ask_plainly(
    connection: Connection, names: Iterable[str], direction: Direction, answers: Answers
) -> None:
    """Add what the registry knows of each of these, one after the other."""
    for name in names:
        if len(name) != _HASH or not _add_session(connection, name, answers):
            _add_artifact(connection, name, direction, answers)


def _add_session(connection: Connection, name: str, answers: Answers) -> bool:
    told = _get(connection, f"public/sessions/{name}/reproduction")
    if told is None:
        return False
    answers.named[name] = [Named("session", name)]
    answers.sessions[name] = {
        "hash": name,
        "registeredAt": told.get("registeredAt"),
        "gitRepo": told.get("gitRepo"),
    }
    _add_jobs(told.get("jobs"), name, answers)
    return True


def _add_artifact(
    connection: Connection, name: str, direction: Direction, answers: Answers
) -> None:
    told = _get(connection, f"artifacts/{name}") or _get(connection, f"public/artifacts/{name}")
    digest = told and (told.get("hash") or told.get("id"))
    if not told or not isinstance(digest, str):
        answers.named.setdefault(name, [])
        return
    digests = list(objects_in(told, "hashes"))
    own = next((one for one in digests if one.get("digest") == digest), {})
    is_dataset = told.get("isComposite") is True
    algorithm = str(own.get("algorithm") or ("composite-blake3" if is_dataset else "blake3"))
    answers.named[name] = [Named("artifact", digest, algorithm)]
    answers.artifacts[digest] = {
        **told,
        "hash": digest,
        "algorithm": algorithm,
        "composite": _dataset(connection, digest, told) if is_dataset else None,
    }
    first_seen = told.get("originalSessionHash") or told.get("original_session_hash") or ""
    if direction in ("near", "upstream"):
        recipe = _get(connection, f"artifacts/{digest}/dag") or {}
        _add_jobs(recipe.get("jobs"), first_seen, answers)
        answers.is_whole = answers.is_whole and recipe.get("isWhole", True) is True
    if direction in ("near", "downstream"):
        around = _get(connection, f"artifacts/{digest}/lineage") or {}
        for reader in objects_in(around, "consumers"):
            link = {"hash": digest, "path": reader.get("path"), "size": told.get("size")}
            _add_jobs([reader | {"inputs": [link], "outputs": []}], first_seen, answers)
        answers.is_whole = answers.is_whole and direction == "near"


def _dataset(connection: Connection, digest: str, told: Mapping[str, Any]) -> Document:
    found = _get(connection, f"artifacts/{digest}/components") or {}
    members = list(objects_in(found, "components"))
    total = told.get("componentCount")
    return {
        "total": total if isinstance(total, int) else len(members),
        "members": [
            {
                "path": one.get("relativePath"),
                "kind": one.get("leafKind"),
                "algorithm": one.get("componentAlgorithm") or "blake3",
                "digest": one.get("componentDigest"),
                "size": one.get("componentSize"),
            }
            for one in members
        ],
        "bloom": None,
    }


def _add_jobs(jobs: object, session: str, answers: Answers) -> None:
    for job in _every(jobs, 0):
        told = _UNTOLD | job
        for name, other in _ALIASES.items():
            if job.get(name) is None and job.get(other) is not None:
                told[name] = job[other]
        told["sessionHash"] = told.get("sessionHash") or session
        for side in ("inputs", "outputs"):
            told[side] = [_link(one) for one in objects_in(job, side)]
        answers.add_job(told)


def _every(jobs: object, depth: int) -> Iterator[Document]:
    """Jobs, and those that they started, which some servers tell inside of them."""
    for job in jobs if isinstance(jobs, list) else ():
        if isinstance(job, dict) and depth < _MOST_DEEP:
            yield job
            yield from _every(job.get("children"), depth + 1)


def _link(told: Document) -> Document:
    return (
        {"size": None, "path": None}
        | told
        | {"hash": told.get("hash") or told.get("artifact_hash")}
    )


def _get(connection: Connection, path: str) -> Document | None:
    try:
        found = connection.get(path)
    except UnregisteredError:
        return None
    if not isinstance(found, dict):
        raise UnreachableError(f"{connection.url} gave an answer that no registry gives")
    return found

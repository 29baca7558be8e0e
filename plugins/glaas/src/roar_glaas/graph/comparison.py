"""What differs between two artifacts, or two sessions: data, steps, commits, packages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.closure import first_jobs, newest_job, walk_up
from roar_glaas.graph.descriptions import describe_jobs
from roar_glaas.graph.sessions import find_session
from roar_glaas.storage.tables import job

MOST_JOBS = 1_000
_MOST_NAMED = 1_000

Job = dict[str, Any]


class Side(NamedTuple):
    """One of the two that are compared: its hash, ids of its jobs, whether these are all."""

    hash: str
    jobs: list[int]
    is_all: bool


def compare_artifacts(
    connection: sa.Connection, caller: Caller, left: Found, right: Found
) -> dict[str, Any]:
    """What differs between the recipes of two artifacts: see `compare_jobs`."""
    as_of = newest_job(connection)
    sides = []
    for found in (left, right):
        ids, is_all = first_jobs(walk_up(connection, caller, found, as_of), MOST_JOBS)
        sides.append(Side(found.digest, ids, is_all))
    return _compared(connection, *sides)


def compare_sessions(
    connection: sa.Connection, caller: Caller, left: str, right: str
) -> dict[str, Any]:
    """What differs between two sessions, by their hashes: see `compare_jobs`. Raises NotFound."""
    sides = []
    for reference in (left, right):
        row = find_session(connection, caller, reference)
        ids = connection.execute(
            sa.select(job.c.id)
            .where(job.c.session_id == row.id)
            .order_by(job.c.step, job.c.id)
            .limit(MOST_JOBS + 1)
        )
        found = list(ids.scalars())
        sides.append(Side(bytes(row.hash).hex(), found[:MOST_JOBS], len(found) <= MOST_JOBS))
    return _compared(connection, *sides)


def _compared(connection: sa.Connection, left: Side, right: Side) -> dict[str, Any]:
    return {
        "left": {"hash": left.hash, "jobCount": len(left.jobs)},
        "right": {"hash": right.hash, "jobCount": len(right.jobs)},
        "isSame": left.hash == right.hash,
        "truncated": not (left.is_all and right.is_all),
        **compare_jobs(*(describe_jobs(connection, side.jobs) for side in (left, right))),
    }


def compare_jobs(left: list[Job], right: list[Job]) -> dict[str, Any]:
    """`{"inputs", "steps", "commits", "packages"}` of two lists of described jobs.

    - `inputs`: what no job of a side made: `onlyLeft`, `onlyRight`, `changed` (the same path, other
      bytes) and `sharedCount`. The data.
    - `steps`: pairs that belong together, in the order they ran, with `changes` naming what differs
      ("command", "commit", "inputs", "outputs", "packages"); a step of one side alone has None for
      the other. `sameCount` tells how many are the same job or differ in nothing.
    - `commits` and `packages`: what either side alone has; packages by manager and name.
    """
    pairs = [_step(one, other) for one, other in _paired(left, right)]
    return {
        "inputs": _artifacts_apart(_data(left), _data(right)),
        "steps": [pair for pair in pairs if not _is_same(pair)],
        "sameCount": sum(map(_is_same, pairs)),
        "commits": _sets_apart(_commits(left), _commits(right)),
        "packages": _packages_apart(_packages(left), _packages(right)),
    }


def _paired(left: list[Job], right: list[Job]) -> list[tuple[Job | None, Job | None]]:
    """Jobs that belong together: the same job, else the same words, else the same program."""
    rest = dict(enumerate(right))
    partner: dict[int, int] = {}
    for likeness in (_uid, _words, _program):
        waiting: dict[Any, list[int]] = {}
        for number, one in rest.items():
            waiting.setdefault(likeness(one), []).append(number)
        for number, one in enumerate(left):
            if number not in partner and waiting.get(likeness(one)):
                partner[number] = waiting[likeness(one)].pop(0)
                del rest[partner[number]]
    pairs: list[tuple[Job | None, Job | None]] = [
        (one, right[partner[number]] if number in partner else None)
        for number, one in enumerate(left)
    ]
    return pairs + [(None, one) for one in rest.values()]


def _uid(one: Job) -> Any:
    return one["jobUid"], one["sessionHash"]


def _words(one: Job) -> Any:
    return one["jobType"], one["command"]


def _program(one: Job) -> Any:
    """`python train.py`: the first two words, without their folders."""
    words = (one["command"] or "").split()
    return one["jobType"], tuple(word.rpartition("/")[2] for word in words[:2])


def _step(left: Job | None, right: Job | None) -> dict[str, Any]:
    changes: list[str] = []
    inputs = outputs = None
    if left and right and _uid(left) != _uid(right):
        inputs = _artifacts_apart(_used(left["inputs"]), _used(right["inputs"]))
        outputs = _artifacts_apart(_used(left["outputs"]), _used(right["outputs"]))
        differs: dict[str, bool] = {
            "command": left["command"] != right["command"],
            "commit": left["gitCommit"] != right["gitCommit"],
            "inputs": _is_apart(inputs),
            "outputs": _is_apart(outputs),
            "packages": _packages([left]) != _packages([right]),
        }
        changes = [name for name, is_other in differs.items() if is_other]
    return {
        "left": left and _brief(left),
        "right": right and _brief(right),
        "changes": changes,
        "inputs": inputs,
        "outputs": outputs,
    }


def _is_same(pair: dict[str, Any]) -> bool:
    return bool(pair["left"] and pair["right"] and not pair["changes"])


def _brief(one: Job) -> Job:
    names = ("jobUid", "command", "jobType", "stepNumber", "gitCommit", "sessionHash", "exitCode")
    return {name: one[name] for name in names}


def _data(jobs: list[Job]) -> dict[str, str]:
    """Path -> hash of what was read and not made."""
    made = {edge["hash"] for one in jobs for edge in one["outputs"]}
    return _used(edge for one in jobs for edge in one["inputs"] if edge["hash"] not in made)


def _used(edges: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Path -> hash; what has no path (a dataset) or shares it with other bytes goes by its hash."""
    found: dict[str, str] = {}
    for edge in edges:
        path = edge["path"] or edge["hash"]
        if found.setdefault(path, edge["hash"]) != edge["hash"]:
            found[edge["hash"]] = edge["hash"]
    return found


def _artifacts_apart(left: dict[str, str], right: dict[str, str]) -> dict[str, Any]:
    """The same bytes under another path are the same data."""
    lefts, rights = set(left.values()), set(right.values())
    changed = sorted(
        path
        for path in left.keys() & right.keys()
        if left[path] != right[path] and left[path] not in rights and right[path] not in lefts
    )

    def only(mine: dict[str, str], others: set[str]) -> list[dict[str, str]]:
        return [
            {"path": path, "hash": digest}
            for path, digest in sorted(mine.items())
            if digest not in others and path not in changed
        ][:_MOST_NAMED]

    return {
        "onlyLeft": only(left, rights),
        "onlyRight": only(right, lefts),
        "changed": [
            {"path": path, "left": left[path], "right": right[path]}
            for path in changed[:_MOST_NAMED]
        ],
        "sharedCount": len(lefts & rights),
    }


def _is_apart(found: dict[str, Any]) -> bool:
    return bool(found["onlyLeft"] or found["onlyRight"] or found["changed"])


def _commits(jobs: list[Job]) -> set[str]:
    return {one["gitCommit"] for one in jobs if one["gitCommit"]}


def _sets_apart(left: set[str], right: set[str]) -> dict[str, list[str]]:
    return {
        "onlyLeft": sorted(left - right)[:_MOST_NAMED],
        "onlyRight": sorted(right - left)[:_MOST_NAMED],
        "shared": sorted(left & right)[:_MOST_NAMED],
    }


def _packages(jobs: list[Job]) -> dict[tuple[str, str], set[str]]:
    """(manager, name) -> versions, from what the client says of the jobs' surroundings."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in jobs:
        stated = json.loads(one["metadata"] or "{}").get("packages")
        for manager, packages in (stated if isinstance(stated, dict) else {}).items():
            for name, version in (packages if isinstance(packages, dict) else {}).items():
                found.setdefault((manager, name), set()).add(str(version))
    return found


def _packages_apart(
    left: dict[tuple[str, str], set[str]], right: dict[tuple[str, str], set[str]]
) -> list[dict[str, Any]]:
    return [
        {
            "manager": manager,
            "name": name,
            "left": sorted(left.get((manager, name), set())),
            "right": sorted(right.get((manager, name), set())),
        }
        for manager, name in sorted(left.keys() | right.keys())
        if left.get((manager, name)) != right.get((manager, name))
    ][:_MOST_NAMED]

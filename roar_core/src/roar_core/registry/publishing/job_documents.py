"""A job of the graph document as the registry's protocol knows it, and back.

The metadata has the keys that other clients look for (GLaaS v1, section 4.3) and `roar`, in which
stands whatever a graph job says beyond them. Labels are no part of it: they change, a job does not.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roar_core.errors import RoarError
from roar_core.redaction import is_secret_name
from roar_core.registry.publishing.link_documents import OBJECT_NAMES, Links, edges_of, links_of
from roar_core.spelling import exact_timestamp

Document = dict[str, Any]

_VERSION = 1
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_KINDS = ("run", "build", "get", "put", "task")
# What a registry takes of a text at most is 1 MiB; a command of thousands of names is longer.
_MOST_OF_COMMAND = 200_000
_MOST_OF_METADATA = 1 << 20
# Told only where there is something to tell.
_AS_IT_IS = (
    *("hash", "step", "attempt", "name", "state", "signal", "rerun_of", "parent", "tracer"),
    *("trackers", "task", "needs", "raw", "masked"),
)


def to_wire(
    job: Mapping[str, Any],
    session: Mapping[str, Any],
    version: str,
    sides: Mapping[str, Links] | None = None,
) -> Document:
    """The protocol's job of a graph job; its links are those of `sides_of`, if they are known.

    `session` is the graph document's session that the job belongs to, `version` that of roar.
    `parent_job_uid` is left to whoever knows whether the parent is sent along.
    """
    commit = job["git"]["commit"] or ""
    step = re.sub(r"\D", "", job["step"] or "")
    command = shlex.join(job["command"])
    document = {
        "command": command
        if len(command) <= _MOST_OF_COMMAND
        else f"{command[:_MOST_OF_COMMAND]} …",
        "timestamp": _seconds(job["started_at"]),
        "job_uid": job["uid"],
        "git_commit": commit if _COMMIT.fullmatch(commit) else "",
        "git_branch": job["git"]["branch"] or "",
        "duration_seconds": job["duration_s"],
        "exit_code": job["exit_code"],
        "job_type": job["kind"],
        "step_number": int(step or 1),
        "metadata": _text(_metadata(job, session, version, sides or sides_of(job))),
    }
    if job["hash"] is not None:
        document["job_hash"] = job["hash"].partition(":")[2]
    return document


def from_wire(document: Mapping[str, Any]) -> Document:
    """The graph job that a registry's job document tells, its edges by (path, hash), no labels.

    `document` is as the registry describes jobs: jobUid, metadata, inputs, outputs, … . Of a job
    that another client registered it tells what its metadata says. Raises RoarError for what is
    no such document.
    """
    try:
        return _from_wire(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RoarError(
            "the registry tells of a job in words that this roar does not understand; "
            "upgrade roar-core"
        ) from error


def _from_wire(document: Mapping[str, Any]) -> Document:
    metadata = metadata_of(document)
    roar = _object(metadata, "roar")
    runtime, git = _object(metadata, "runtime"), _object(metadata, "git")
    timing = _object(runtime, "timing")
    if not roar:
        roar, timing = _guessed(document), {}
    started_at = timing.get("start") or exact_timestamp(round(document["startedAt"] * 1e6) * 1000)
    kind = document["jobType"]
    job: Document = {
        "uid": document["jobUid"],
        "hash": roar.get("hash"),
        "session": session_of(document)["id"],
        "step": roar.get("step"),
        "attempt": roar.get("attempt"),
        "kind": kind if kind in _KINDS else "task",
        "name": roar.get("name"),
        "command": _command(document, runtime),
        "cwd": _cwd(metadata),
        "state": roar["state"],
        "exit_code": document["exitCode"],
        "signal": roar.get("signal"),
        "started_at": started_at,
        "ended_at": timing.get("end"),
        "duration_s": timing.get("duration_seconds", document["durationSeconds"]),
        "rerun_of": roar.get("rerun_of"),
        "parent": roar.get("parent"),
        "tracer": roar.get("tracer"),
        "coverage": roar.get("coverage") or {"state": "complete", "reasons": []},
        "inputs": _edges(document, roar, "inputs"),
        "outputs": _edges(document, roar, "outputs"),
        "git": {
            "commit": git.get("commit") or document["gitCommit"] or None,
            "branch": git.get("branch"),
            "remote": git.get("remote_url"),
            "dirty": git.get("clean") is False,
            "snapshot": git.get("snapshot"),
        },
        "packages": _packages(metadata, roar),
        "environment": _environment(runtime),
        "trackers": roar.get("trackers") or [],
        "labels": {},
        "task": roar.get("task"),
        "masked": roar.get("masked") or [],
    }
    return job | {key: roar[key] for key in ("needs", "raw") if key in roar}


def _edges(document: Mapping[str, Any], roar: Document, side: str) -> list[Document]:
    told = (_object(roar, part).get(side) for part in ("edges", "producers", "objects"))
    return edges_of(document[side], *told)


def session_of(document: Mapping[str, Any]) -> Document:
    """The graph document's session of a registry's job document.

    Work of another client belongs to the session that it was registered as.
    """
    session = _object(_object(metadata_of(document), "roar"), "session")
    if session:
        return session
    started = exact_timestamp(round(document["startedAt"] * 1e6) * 1000)
    return {"id": document["sessionHash"][:32], "number": 1, "started_at": started}


def metadata_of(document: Mapping[str, Any]) -> Document:
    """The metadata of a registry's job document, which is an object or the text of one."""
    told = document.get("metadata")
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return {}
    return told if isinstance(told, dict) else {}


def sides_of(job: Mapping[str, Any]) -> dict[str, Links]:
    """The links of a graph job's `inputs` and `outputs`."""
    return {side: links_of(job[side]) for side in ("inputs", "outputs")}


def _metadata(
    job: Mapping[str, Any],
    session: Mapping[str, Any],
    version: str,
    sides: Mapping[str, Links],
) -> Document:
    packages = job["packages"]
    shown, hidden = {}, {}
    for kind, key in (("python", "pip"), ("system", "dpkg")):
        versions = packages[kind]
        shown[key] = versions
        # A registry takes the version of `google-auth` for a secret: its list has no such names.
        unsaid = sorted(pair for pair in versions.items() if is_secret_name(pair[0]))
        if unsaid:
            hidden[key] = [list(pair) for pair in unsaid]
    git = job["git"]
    roar = {key: job.get(key) for key in _AS_IT_IS}
    coverage = job["coverage"]
    roar |= {
        "session": dict(session),
        "coverage": None if coverage == {"state": "complete", "reasons": []} else coverage,
        "packages": hidden,
        "edges": {side: links.told for side, links in sides.items() if links.told},
        "producers": {side: links.producers for side, links in sides.items() if links.producers},
        "objects": {side: links.objects for side, links in sides.items() if links.objects},
    }
    kept = {key: value for key, value in roar.items() if value not in (None, [], {})}
    return {
        "roar_version": version,
        "packages": shown,
        "runtime": _runtime(job),
        "git": {
            "commit": git["commit"],
            "branch": git["branch"],
            "remote_url": git["remote"],
            "clean": not git["dirty"],
            "snapshot": git["snapshot"],
        },
        "cwd": job["cwd"],
        "roar": {"v": _VERSION, **kept},
    }


def _text(metadata: Document) -> str:
    """JSON that a registry takes: where that is too long, without a command's last arguments.

    Thousands of names behind a command are inputs as well, which say the same. What stores call
    their objects goes next: hash, path and size name these bytes without it. Last go the tasks
    whose results a job got, of which there may be tens of thousands.
    """
    text = json.dumps(metadata, separators=(",", ":"))
    if len(text) <= _MOST_OF_METADATA:
        return text
    command = metadata["runtime"]["command"]
    kept, room = [], _MOST_OF_COMMAND
    for argument in command:
        room -= len(json.dumps(argument)) + 1
        if room < 0:
            break
        kept.append(argument)
    if len(kept) < len(command):
        metadata["roar"]["left_out"] = {"arguments": len(command) - len(kept)}
        metadata["roar"].pop("raw", None)
        metadata["runtime"]["command"] = [*kept, "…"]
        text = json.dumps(metadata, separators=(",", ":"))
    objects = metadata["roar"].get("objects", {})
    if len(text) > _MOST_OF_METADATA and objects:
        left_out = metadata["roar"].setdefault("left_out", {})
        left_out["names of objects"] = sum(
            sum(name is not None for name in side.pop(key, ()))
            for side in objects.values()
            for key in OBJECT_NAMES
        )
        text = json.dumps(metadata, separators=(",", ":"))
    if len(text) > _MOST_OF_METADATA and "needs" in metadata["roar"]:
        left_out = metadata["roar"].setdefault("left_out", {})
        left_out["results"] = len(metadata["roar"].pop("needs"))
        text = json.dumps(metadata, separators=(",", ":"))
    if len(text) > _MOST_OF_METADATA:
        raise RoarError(
            f"what is recorded of {metadata['roar'].get('step') or 'a job'} is more than a"
            " registry takes of one job (1 MiB of metadata); register what came after it by its"
            " own reference (@N)"
        )
    return text


def _runtime(job: Mapping[str, Any]) -> Document:
    runtime: Document = {
        "timing": {
            "start": job["started_at"],
            "end": job["ended_at"],
            "duration_seconds": job["duration_s"],
        },
        "command": job["command"],
    }
    environment = job["environment"]
    if environment is None:
        return runtime
    interpreter, memory = environment["interpreter"], environment["memory_bytes"]
    facts = {
        "os": _halves(environment["os"], "system", "release"),
        "arch": environment["arch"],
        "python": interpreter and _halves(interpreter, "implementation", "version"),
        "cpu": environment["cpu"],
        "memory": None if memory is None else {"total_bytes": memory},
        "gpu": environment["gpus"],
        "cuda": environment["cuda"],
        "container": environment["container"],
        "env_vars": environment["variables"],
    }
    return runtime | {key: value for key, value in facts.items() if value is not None}


def _environment(runtime: Document) -> Document | None:
    if "os" not in runtime:
        return None
    gpus = runtime.get("gpu")
    memory = runtime.get("memory")
    variables = _object(runtime, "env_vars")
    return {
        "os": _whole(runtime["os"]) or "",
        "arch": _words(runtime.get("arch")) or "",
        "interpreter": _whole(runtime.get("python")),
        "cpu": _words(runtime.get("cpu")),
        "memory_bytes": memory.get("total_bytes") if isinstance(memory, dict) else None,
        "gpus": [
            {key: gpu.get(key) for key in ("name", "memory_bytes", "driver")}
            for gpu in (gpus if isinstance(gpus, list) else [])
            if isinstance(gpu, dict) and isinstance(gpu.get("name"), str)
        ],
        "cuda": _words(runtime.get("cuda")),
        "container": _words(runtime.get("container")),
        "variables": {k: v for k, v in variables.items() if isinstance(v, str)},
    }


def _halves(words: str, first: str, second: str) -> Document:
    """`CPython 3.12.1` as `{first: "CPython", second: "3.12.1"}`; a single word as a name."""
    head, space, rest = words.partition(" ")
    return {first: head, second: rest} if space and head and rest else {"name": words}


def _whole(told: object) -> str | None:
    if isinstance(told, str):
        return told
    if not isinstance(told, dict):
        return None
    if "name" in told:
        return _words(told["name"])
    keys = ("implementation", "system", "version", "release")
    return " ".join(str(told[key]) for key in keys if told.get(key)) or None


def _words(told: object) -> str | None:
    if told is None or isinstance(told, str):
        return told
    return json.dumps(told)


def _packages(metadata: Document, roar: Document) -> Document:
    told, hidden = _object(metadata, "packages"), _object(roar, "packages")
    return {
        kind: {name: str(version) for name, version in _object(told, key).items()}
        | dict(hidden.get(key, ()))
        for kind, key in (("python", "pip"), ("system", "dpkg"))
    }


def _command(document: Mapping[str, Any], runtime: Document) -> list[str]:
    told = runtime.get("command")
    if isinstance(told, list) and all(isinstance(argument, str) for argument in told):
        return told
    command = document["command"] or ""
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _cwd(metadata: Document) -> str:
    told = metadata.get("cwd")
    return told if isinstance(told, str) and told else "."


def _guessed(document: Mapping[str, Any]) -> Document:
    """What stands under `roar`, of a job that another client registered."""
    build = "B" if document["jobType"] == "build" else ""
    number = document["stepNumber"]
    return {
        "state": "failed" if document["exitCode"] else "succeeded",
        "step": f"@{build}{number}" if number else None,
        "attempt": 1 if number else None,
        "parent": None,
    }


def _object(document: Mapping[str, Any], key: str) -> Document:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _seconds(time: str) -> float:
    """Seconds since the epoch, to the microsecond."""
    return datetime.fromisoformat(time).timestamp()

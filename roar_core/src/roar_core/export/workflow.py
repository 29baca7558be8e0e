"""A session's steps as a workflow file in YAML: what to run, where, after what, with which data.

It is written without a YAML library: of YAML 1.2 it uses blocks for the outer structure and JSON,
which is a part of it, for every name and value; so no text is ever taken for something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

from roar_core.export.facts import Graph, Job, producers

VERSION = 1


def write_workflow(graph: Graph, target: IO[bytes]) -> None:
    """Write the newest attempt at each step of the graph; steps of other sessions come first.

    A step is called by its place (`step-3`, `build-1`); of another session `…-of-<session>`.
    """
    for line in _lines(graph):
        target.write(f"{line}\n".encode("ascii"))


def _lines(graph: Graph) -> Iterator[str]:
    jobs = [job for job in graph["jobs"] if job["parent"] is None]
    # Several attempts at a step: the newest that succeeded, else the newest.
    chosen: dict[tuple[Any, Any], Job] = {}
    for job in jobs:
        key = (job["session"], job["step"] or job["uid"])
        known = chosen.get(key)
        if known is None or job["state"] == "succeeded" or known["state"] != "succeeded":
            chosen[key] = job
    steps = sorted(chosen.values(), key=lambda job: (job["kind"] != "build", job["started_at"]))
    names = _names(graph, steps)
    stands_for = {
        job["uid"]: names[chosen[job["session"], job["step"] or job["uid"]]["uid"]] for job in jobs
    }
    yield "# Made by `roar workflow generate` from what was recorded."
    yield f"version: {VERSION}"
    yield "steps:" if steps else "steps: {}"
    for job in steps:
        yield from _step(job, names[job["uid"]], _needs(job, names[job["uid"]], stands_for))


def _names(graph: Graph, steps: list[Job]) -> dict[str, str]:
    own = graph["root"]["id"] if graph["root"]["kind"] == "session" else None
    numbers = {session["id"]: session["number"] for session in graph["sessions"]}
    if own is None and steps:
        own = steps[-1]["session"]
    names: dict[str, str] = {}
    taken: set[str] = set()
    for job in steps:
        step = job["step"]
        name = f"job-{job['uid'][:8]}"
        if step is not None:
            name = f"build-{step[2:]}" if step.startswith("@B") else f"step-{step[1:]}"
            if job["session"] != own:
                name += f"-of-{numbers[job['session']]}"
        names[job["uid"]] = name if name not in taken else f"{name}-{job['uid'][:8]}"
        taken.add(names[job["uid"]])
    return names


def _needs(job: Job, own: str, stands_for: Mapping[str, str]) -> list[str]:
    found = {
        stands_for[uid] for edge in job["inputs"] for uid in producers(edge) if uid in stands_for
    }
    return sorted(found - {own}, key=lambda name: (len(name), name))


def _step(job: Job, name: str, needs: list[str]) -> Iterator[str]:
    yield f"  {name}:"
    if job["name"]:
        yield f"    name: {_json(job['name'])}"
    yield f"    command: {_json(job['command'])}"
    yield f"    cwd: {_json(job['cwd'])}"
    if needs:
        yield f"    needs: {_json(needs)}"
    variables = job["environment"]["variables"] if job["environment"] else {}
    if variables:
        yield from _block("environment", variables)
    if job["environment"] and job["environment"]["interpreter"]:
        yield f"    interpreter: {_json(job['environment']['interpreter'])}"
    if job["packages"]["python"]:
        yield from _block("packages", job["packages"]["python"])
    if job["git"]["commit"]:
        yield f"    commit: {_json(job['git']['commit'])}"
        if job["git"]["dirty"]:
            yield f"    patch: {_json(job['git']['snapshot'])}"
    for side in ("inputs", "outputs"):
        edges = {edge["path"]: edge["hash"] for edge in job[side]}
        if edges:
            yield from _block(side, edges)
    if job["masked"]:
        yield f"    masked: {_json(sorted({entry['what'] for entry in job['masked']}))}"
    if job["state"] != "succeeded":
        yield f"    state: {_json(job['state'])}"


def _block(name: str, values: Mapping[str, str | None]) -> Iterator[str]:
    yield f"    {name}:"
    for key, value in values.items():
        # A key of over 1,024 characters must be said to be one (YAML 1.2.2, 7.4.2).
        yield (
            f"      ? {_json(key)}"
            if len(_json(key)) > 1000
            else f"      {_json(key)}: {_json(value)}"
        )
        if len(_json(key)) > 1000:
            yield f"      : {_json(value)}"


def _json(value: Any) -> str:
    """JSON in ASCII, on one line. YAML ends no quoted text at a line's end that is escaped.

    Characters beyond the first 65,536 are two escapes in JSON, which YAML takes for two characters:
    it has an escape of its own for them.
    """
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if value.isascii():
        return json.dumps(value)
    return "".join(
        [
            '"',
            *(json.dumps(c)[1:-1] if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in value),
            '"',
        ]
    )

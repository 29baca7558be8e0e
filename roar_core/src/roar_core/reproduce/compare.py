"""Compare what a replayed step wrote with what the recorded job wrote, artifact by artifact."""

from __future__ import annotations

import os
from typing import Literal

import attrs

from roar_core.model.job import Edge, Job
from roar_core.reproduce.differences import differences
from roar_core.reproduce.finding import digest_of
from roar_core.reproduce.plan import PlannedOutput

Verdict = Literal["identical", "differs", "missing", "unknown", "not_run"]
Stamp = tuple[int, int, int, int]


@attrs.frozen
class Compared:
    """The verdict on one artifact.

    `hash` is that of the bytes now, None when there are none. `unknown`: the record has no hash to
    compare with. `not_run`: the step was not run. `details` say in sentences what differs.
    """

    step: str
    output: PlannedOutput
    verdict: Verdict
    hash: str | None = None
    details: tuple[str, ...] = ()


def place_of(output: PlannedOutput, root: str) -> str:
    """Where a step writes an output now; only in place may that be outside `root`."""
    return output.path if output.relative is None else f"{root}/{output.relative}"


def stamp(path: str) -> Stamp | None:
    """What changes whenever a file is written or replaced; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - names of any bytes
    except (OSError, ValueError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def compare(
    step: str, output: PlannedOutput, root: str, before: Stamp | None, job: Job | None
) -> Compared:
    """Judge one output after its step has run.

    `before` is the stamp of the file before that: one that is still the same was not written, and
    does not count, whatever its bytes. `job` is the record of the replay, None when it has none.
    """
    place = place_of(output, root)
    edge = _edge(job, place)
    if output.kind == "composite":
        return _compare_dataset(step, output, place, edge)
    if output.kind == "object":
        return Compared(step, output, "unknown", details=("objects of a store are not read",))
    after = stamp(place)
    if after is None:
        return Compared(step, output, "missing")
    if after == before and edge is None:
        return Compared(step, output, "missing", details=("the step did not write it",))
    now = digest_of(place)
    if output.hash is None:
        return Compared(step, output, "unknown", now, ("the record has no hash of it",))
    if now == output.hash:
        return Compared(step, output, "identical", now)
    if now is None:
        return Compared(step, output, "missing", details=("it is no readable file",))
    return Compared(step, output, "differs", now, tuple(differences(place, output.original)))


def _compare_dataset(step: str, output: PlannedOutput, place: str, edge: Edge | None) -> Compared:
    now = None if edge is None else edge.hash
    if output.hash is None:
        return Compared(step, output, "unknown", now, ("the record has no hash of it",))
    if now == output.hash:
        return Compared(step, output, "identical", now)
    if not output.members:
        verdict: Verdict = "differs" if now else "missing"
        return Compared(step, output, verdict, now, ("the record does not list its members",))
    found = {member.name: _member_digest(f"{place}/{member.name}") for member in output.members}
    missing = [name for name, digest in found.items() if digest is None]
    unlike = [m.name for m in output.members if found[m.name] not in (None, m.hash)]
    if len(missing) == len(found):
        return Compared(step, output, "missing", now)
    details = [f"member {name!r} is missing" for name in missing[:3]]
    details += [f"member {name!r} differs" for name in unlike[:3]]
    if len(missing) + len(unlike) > len(details):
        details.append(f"{len(missing) + len(unlike)} of {len(found)} members in all")
    # All members as recorded: then it is the one only if nothing has been added.
    if not details:
        if now is None:
            return Compared(step, output, "identical", output.hash)
        details.append("it has further members")
    return Compared(step, output, "differs", now, tuple(details))


def _member_digest(path: str) -> str | None:
    if not os.path.islink(path):  # noqa: PTH114 - names of any bytes
        return digest_of(path)
    from blake3 import blake3

    return f"blake3:{blake3(os.fsencode(os.readlink(path))).hexdigest()}"  # noqa: PTH115


def _edge(job: Job | None, place: str) -> Edge | None:
    real = os.path.realpath(place)
    edges = job.outputs if job is not None else ()
    return next((edge for edge in edges if edge.path in (place, real)), None)

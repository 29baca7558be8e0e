"""The one line a run leaves on stderr, and what `-v` adds to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from roar_core.cli import output
from roar_core.model.job import Job
from roar_core.model.observation import Observation

_EDGES_SHOWN = 20


def print_summary(
    job: Job, observation: Observation, *, added_s: float, verbosity: int, uid_length: int = 8
) -> None:
    """Say what was recorded. `added_s` is the time roar took before and after the command."""
    if verbosity < 0:
        return
    unknown = sum(edge.hash_state == "unknown" for edge in job.inputs)
    parts = [
        f"{job.step} {job.uid[:uid_length]}",
        _count(len(job.inputs), "input"),
        _count(len(job.outputs), "output"),
    ]
    if unknown:
        parts.append(f"{unknown} with unknown hash")
    if job.state == "failed":
        parts.append(f"killed by {job.signal}" if job.signal else f"exit {job.exit_code}")
    parts.append(f"{job.duration_s or 0:.1f} s + {added_s:.2f} s")
    if job.coverage.reasons:
        codes = ", ".join(dict.fromkeys(reason.code for reason in job.coverage.reasons))
        parts.append(output.style(f"partial: {codes}", "yellow", stream=sys.stderr))
    output.note(" · ".join(parts))
    if verbosity >= 1:
        _print_details(job, observation, verbosity)


def _print_details(job: Job, observation: Observation, verbosity: int) -> None:
    limit = None if verbosity >= 2 else _EDGES_SHOWN
    for mark, edges in (("<", job.inputs), (">", job.outputs)):
        for edge in edges[:limit]:
            state = "" if edge.hash_state == "exact" else f"  ({edge.hash_state})"
            output.note(f"  {mark} {output.printable(edge.path)}{state}")
        if limit is not None and len(edges) > limit:
            output.note(f"  {mark} … and {len(edges) - limit} more; see: roar show {job.step}")
    for reason in job.coverage.reasons:
        output.note(f"  not seen: {reason.code} x {reason.count} {output.printable(reason.detail)}")
    if observation.scratch:
        output.note(f"  scratch: {_count(observation.scratch, 'file')} made and gone again")
    for name, count in sorted(observation.filtered.items()):
        output.note(f"  filtered: {_count(count, 'file')} of class {name}")
        if verbosity >= 2:
            _print_paths(observation.filtered_paths.get(name, ()))


def _print_paths(paths: Sequence[str]) -> None:
    for path in paths:
        output.note(f"    {output.printable(path)}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

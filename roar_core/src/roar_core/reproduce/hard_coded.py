"""Find programs that have the project's absolute path written into them.

Wherever such a program is run, it reads and writes in the original project. A reproduction must not
touch that, so these are named before anything runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from roar_core.errors import UnreproducibleError
from roar_core.reproduce.history import History
from roar_core.reproduce.plan import PlannedStep
from roar_core.reproduce.snapshots import read_snapshot

# What is read as a program or as its settings; in prose and notebooks a path does no harm.
_SUFFIXES = (
    *(".py", ".sh", ".bash", ".R", ".r", ".jl", ".pl", ".rb", ".js", ".c", ".cpp", ".f90", ".mk"),
    *(".yaml", ".yml", ".toml", ".json", ".cfg", ".ini", ".env", "Makefile", "Snakefile"),
)
_MOST_BYTES = 1 << 20


def files_naming(
    steps: Iterable[PlannedStep], root: str, history: History | None, objects: str
) -> list[str]:
    """Files of the steps' commits, snapshots and inputs that name `root`, sorted."""
    pattern = re.compile(re.escape(os.fsencode(root)) + rb"""(?=[/"'\s\\),;:]|$)""")
    found: set[str] = set()
    commits, snapshots = set(), set()
    for step in steps:
        commits.add(step.code.commit)
        snapshots.add(step.code.snapshot)
        found.update(_inputs(step, pattern))
    for commit in filter(None, commits):
        if history is not None and history.has(commit):
            found.update(filter(_is_program, history.naming(commit, root)))
    for name in filter(None, snapshots):
        found.update(_kept(objects, name, pattern))
    return sorted(found)


def _inputs(step: PlannedStep, pattern: re.Pattern[bytes]) -> Iterator[str]:
    for planned in step.inputs:
        relative, place = planned.relative, planned.found
        if relative is None or place is None or planned.members or not _is_program(relative):
            continue
        if planned.size > _MOST_BYTES:
            continue
        try:
            with open(place, "rb") as file:  # noqa: PTH123 - names of any bytes
                if pattern.search(file.read(_MOST_BYTES)):
                    yield relative
        except OSError:
            continue


def _kept(objects: str, name: str, pattern: re.Pattern[bytes]) -> Iterator[str]:
    try:
        snapshot = read_snapshot(objects, name)
    except UnreproducibleError:  # told where it is needed
        return
    added = b"\n".join(
        line for line in snapshot.patch.splitlines() if line[:1] == b"+" and line[:3] != b"+++"
    )
    if pattern.search(added):
        yield "the uncommitted changes"
    for relative, member in snapshot.files.items():
        file = snapshot.archive.extractfile(member) if member.isreg() else None
        if file is not None and _is_program(relative) and pattern.search(file.read(_MOST_BYTES)):
            yield relative


def _is_program(path: str) -> bool:
    return path.endswith(_SUFFIXES)

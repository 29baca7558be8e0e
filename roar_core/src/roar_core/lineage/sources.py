"""Which inputs a commit explains: bytes that git holds at the commit of a job that read them."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from blake3 import blake3

from roar_core.environment.output_of import clean_environment

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.edges import Used


def held_by_commits(db: sqlite3.Connection, inputs: Iterable[Used]) -> frozenset[Used]:
    """Those of `inputs` whose bytes are in the commit of a job that read them."""
    wanted = [used for used in inputs if used.producer is None and used.kind == "file"]
    commits = _commits(db, {job for used in wanted for job in used.jobs})
    asked: dict[str, list[tuple[str, Used]]] = defaultdict(list)
    for used in wanted:
        if used.hash is None or not used.path.startswith(f"{used.project}/"):
            continue
        for commit in {commits[job] for job in used.jobs if job in commits}:
            relative = used.path[len(used.project) + 1 :]
            asked[used.project].append((f"{commit}:./{relative}", used))
    found: set[Used] = set()
    for project, names in asked.items():
        digests = _blobs(project, [name for name, _ in names])
        found |= {
            used
            for (_, used), digest in zip(names, digests, strict=True)
            if digest is not None and used.hash == f"blake3:{digest}"
        }
    return frozenset(found)


def _commits(db: sqlite3.Connection, jobs: Iterable[int]) -> dict[int, str]:
    return dict(
        db.execute(
            "SELECT job.id, git_commit FROM json_each(?) wanted "
            "JOIN job ON job.id = wanted.value WHERE git_commit IS NOT NULL",
            (json.dumps(list(jobs)),),
        )
    )


def _blobs(project: str, names: Sequence[str]) -> list[str | None]:
    """BLAKE3 of each object that git knows by such a name, None where there is none.

    git-cat-file(1): `--batch` answers `<object> <type> <size>` and the bytes, or `… missing`.
    """
    # A name with a newline would be two questions.
    askable = [name for name in names if "\n" not in name]
    environ = clean_environment(os.environ, {})
    try:
        process = subprocess.Popen(
            ["git", "-C", project, "cat-file", "--batch"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:  # no git, or no such folder any more
        return [None] * len(names)
    known: dict[str, str | None] = {}
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in askable:
            try:
                process.stdin.write(os.fsencode(name) + b"\n")
                process.stdin.flush()
            except BrokenPipeError:  # no repository any more
                break
            head = process.stdout.readline().rsplit(b" ", 2)
            if len(head) != 3 or not head[2].strip().isdigit():
                continue
            hasher = blake3()
            left = int(head[2]) + 1  # a newline ends the bytes
            while left > 0 and (piece := process.stdout.read(min(left, 1 << 20))):
                hasher.update(piece[: left - 1] if len(piece) == left else piece)
                left -= len(piece)
            known[name] = hasher.hexdigest() if head[1] == b"blob" else None
        process.stdin.close()
    return [known.get(name) for name in names]

"""What the interactive graph draws: jobs, the files between them, and groups where it is large.

The document is {"jobs", "files", "groups", "isWhole"}. Jobs are named by their place in the list; a
file has its "writer" (or None) and its "readers"; a job's "group" is a place in "groups" or None.
Beyond `MOST_APART` jobs, those that play the same part are folded: first exact siblings (one
program, the same neighbours), then one program at one depth, then neighbouring depths together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from roar_glaas.pages.plain import heading, last_part, plain

MOST_JOBS = 5_000
MOST_APART = 500
_MOST_COMMAND = 300
_ALIKE = 3
_MOST_FILES = 20_000


def drawing(jobs: list[dict[str, Any]], *, is_whole: bool = True) -> dict[str, Any]:
    """The graph of jobs as `describe_jobs` gives them, which is in the order they started."""
    shown = jobs[:MOST_JOBS]
    files = _files(shown)
    ties = {(file["writer"], reader) for file in files for reader in file["readers"]}
    headings = [str(plain(heading(job["command"]))) for job in shown]
    groups, group_of = fold(headings, {tie for tie in ties if tie[0] is not None})
    return {
        "jobs": [
            {
                "uid": job["jobUid"],
                "address": f"{job['jobUid']}?session={job['sessionHash']}",
                "step": job["stepNumber"],
                "heading": headings[number],
                "command": plain(job["command"][:_MOST_COMMAND]),
                "failed": bool(job["exitCode"]),
                "group": group_of.get(number),
            }
            for number, job in enumerate(shown)
        ],
        "files": _alike(files)[:_MOST_FILES],
        "groups": groups,
        "isWhole": is_whole and len(jobs) <= MOST_JOBS,
    }


def _files(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every version of a file: who wrote it, and which later jobs read it before the next did."""
    newest: dict[str, dict[str, Any]] = {}
    found: list[dict[str, Any]] = []

    def file_of(edge: dict[str, Any], writer: int | None) -> dict[str, Any]:
        name = str(plain(last_part(edge["path"]))) or "dataset"
        file = {"name": name[:200], "hash": edge["hash"], "count": 1}
        file |= {"isDataset": edge["total"] is not None, "writer": writer, "readers": []}
        newest[edge["hash"]] = file
        found.append(file)
        return file

    for number, job in enumerate(jobs):
        for edge in job["inputs"]:
            file = newest.get(edge["hash"]) or file_of(edge, None)
            if file["readers"][-1:] != [number]:
                file["readers"].append(number)
        for edge in job["outputs"]:
            if newest.get(edge["hash"], {}).get("writer") != number:
                file_of(edge, number)
    return found


def _alike(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of many plain files with the same writer and readers, one that counts for all."""
    classes: dict[Hashable, list[dict[str, Any]]] = defaultdict(list)
    for file in files:
        apart = file["hash"] if file["isDataset"] else None
        classes[file["writer"], tuple(file["readers"]), apart].append(file)
    kept = []
    for some in classes.values():
        if len(some) <= _ALIKE:
            kept += some
        else:
            kept.append(some[0] | {"count": len(some)})
    return kept


def fold(
    headings: list[str], ties: Iterable[tuple[int, int]], most: int = MOST_APART
) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """Groups of jobs, and the group of each job that is in one: at most `most` nodes are left.

    `headings` has a name for each job, `ties` pairs of an earlier and a later job.
    """
    if len(headings) <= most:
        return [], {}
    before: dict[int, set[int]] = defaultdict(set)
    after: dict[int, set[int]] = defaultdict(set)
    for writer, reader in ties:
        before[reader].add(writer)
        after[writer].add(reader)
    depth: list[int] = []
    for number in range(len(headings)):
        depth.append(1 + max((depth[one] for one in before[number]), default=-1))
    deepest = 1 + max(depth)

    def siblings(number: int) -> Hashable:
        return headings[number], frozenset(before[number]), frozenset(after[number])

    ways: list[Callable[[int], Hashable]] = [siblings]
    bands = deepest
    while bands > 1:
        ways.append(lambda n, bands=bands: (headings[n], depth[n] * bands // deepest))  # type: ignore[misc]
        bands //= 2
    ways.append(lambda n: headings[n])
    ways.append(lambda n: depth[n] * (most - 1) // deepest)
    for way in ways:
        classes: dict[Hashable, list[int]] = defaultdict(list)
        for number in range(len(headings)):
            classes[way(number)].append(number)
        if len(classes) <= most:
            break
    groups: list[dict[str, Any]] = []
    group_of: dict[int, int] = {}
    for members in classes.values():
        if len(members) > 1:
            names = Counter(headings[number] for number in members).most_common(2)
            others = " and others" if len(names) > 1 else ""
            group_of |= dict.fromkeys(members, len(groups))
            groups.append({"heading": f"{names[0][0]}{others}"})
    return groups, group_of

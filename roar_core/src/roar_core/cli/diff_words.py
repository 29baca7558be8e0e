"""A difference in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roar_core.cli import output, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roar_core.cli.diff_findings import Findings, Values
    from roar_core.lineage.changes import Change

_VALUES_SHOWN = 8
_FILES_SHOWN = 5
_WIDTH = 100


def arrow() -> str:
    """Between before and after."""
    return output.symbol("→", "->")


def change_words(change: Change, findings: Findings) -> str:
    """`--lr: 0.1 → 0.2`, `raw.csv changed`, `numpy 1.26 → 2.0` …"""
    before, after = change.before, change.after
    both = f"{before} {arrow()} {after}"
    words = {
        "input_changed": f"{change.subject} changed"
        if before == after
        else f"{change.subject}: {both}, other bytes",
        "input_added": f"{change.subject} is read by B only",
        "input_removed": f"{change.subject} is read by A only",
        "input_unknown": f"{change.subject}: not known whether the bytes are the same",
        "input_moved": f"{change.subject}: {both}, the same bytes",
        "parameter_changed": f"{change.subject}: {both}",
        "parameter_added": f"{change.subject}: {after}, in B only",
        "parameter_removed": f"{change.subject}: {before}, in A only",
        "parameter_names_file": f"{change.subject}: {both}, which names a file",
        "program_changed": f"another program: {both}",
        "directory_changed": f"working directory: {both}",
        "code_changed": _files(change.files) + " changed",
        "commit_changed": f"commit {_commit(before)} {arrow()} {_commit(after)},"
        " but no file that was read as code differs",
        "code_unknown": f"commit {_commit(before)} {arrow()} {_commit(after)};"
        " which files were read as code is not recorded",
        "step_added": f"step in B only: {change.subject}",
        "step_removed": f"step in A only: {change.subject}",
        "rewired": f"{change.subject} came from {_source(before, findings)},"
        f" now from {_source(after, findings)}",
        "unexplained": "other results from the same command, code, inputs and packages: it is not"
        " deterministic, or depends on something that is not recorded",
    }
    fallback = f"{change.subject} {before or '(none)'} {arrow()} {after or '(none)'}"
    text = words.get(change.code, fallback)
    return wording.fit(text, max(_WIDTH, wording.columns() or 0))


def change_details(change: Change, findings: Findings) -> list[str]:
    """Further lines: values of a data file, files of the commits."""
    lines = value_lines(findings.values.get(id(change)))
    if change.category != "code":
        return lines
    if change.code == "code_changed" and change.before != change.after:
        lines.append(f"commit {_commit(change.before)} {arrow()} {_commit(change.after)}")
    elif change.code == "code_changed":
        lines.append("by changes that are not committed")
    for old, new in change.steps[:1]:
        if old is None or new is None:
            continue
        commits = tuple(
            side.jobs[job].git.commit or ""
            for side, job in zip(findings.sides, (old, new), strict=True)
        )
        known = findings.commits.get((commits[0], commits[1]))
        if known is None:
            continue
        if known.problem:
            lines.append(f"the files of the commits are not known: {known.problem}")
            continue
        names = [f"{status} {name}" for status, name in known.files]
        lines.append(f"between the commits: {_files(names)}" if names else "the commits are equal")
    return [output.printable(line) for line in lines]


def value_lines(values: Values | None) -> list[str]:
    """`accuracy: 0.91 → 0.93` for each value that differs, as far as fits."""
    if values is None:
        return []
    lines = []
    for change in values.changes[:_VALUES_SHOWN]:
        if change.before is None:
            text = f"{change.where}: {change.after}, in B only"
        elif change.after is None:
            text = f"{change.where}: {change.before}, in A only"
        else:
            text = f"{change.where}: {change.before} {arrow()} {change.after}"
        lines.append(wording.fit(text, _WIDTH))
    left = len(values.changes) - len(lines)
    if left:
        lines.append(f"{output.symbol('…', '...')} and {left:,} more values: --json")
    if values.note:
        lines.append(values.note)
    return lines


def steps_words(change: Change, findings: Findings) -> str:
    """Which steps have it: `@3.1 → @3`, or how many."""
    shown = [_pair(findings.label(0, old), findings.label(1, new)) for old, new in change.steps[:3]]
    more = len(change.steps) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _pair(before: str, after: str) -> str:
    if not before or not after or before == after:
        return before or after
    return f"{before} {arrow()} {after}"


def _files(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_FILES_SHOWN])
    left = len(names) - _FILES_SHOWN
    return f"{shown} and {left:,} more" if left > 0 else shown


def _commit(version: str | None) -> str:
    if version is None:
        return "(none)"
    commit, blank, rest = version.partition(" ")
    return commit[:12] + blank + rest


def _source(uid: str | None, findings: Findings) -> str:
    return "no recorded job" if uid is None else findings.call(uid)

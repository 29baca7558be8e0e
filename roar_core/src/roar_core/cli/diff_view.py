"""What differs, told to a person: the likeliest reasons, everything by kind, or step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.cli.diff_words import (
    arrow,
    change_details,
    change_words,
    steps_words,
    value_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roar_core.cli.diff_findings import Findings, Result
    from roar_core.lineage.changes import Change

_REASONS_SHOWN = 10
_RESULTS_SHOWN = 10
_CATEGORIES = ("data", "parameters", "code", "environment", "structure", "results")


def print_diff(findings: Findings, form: str) -> None:
    """Print the answer in one of the three forms."""
    for name, side in zip("AB", findings.sides, strict=True):
        target = side.target
        root = side.jobs.get(side.roots[0]) if len(side.roots) == 1 else None
        called = findings.call(root.uid) if root and target.kind == "job" else target.name
        title = f"  {wording.title(root.name, root.command)}" if root else ""
        known = f"  {wording.short_hash(target.hash)}" if target.hash else ""
        output.line(
            f"{output.style(name, 'bold')}  {output.printable(called)}"
            f"{wording.fit(title, 80)}{output.style(known, 'dim')}"
        )
    output.line(_counts(findings))
    if not findings.diff.changes and not findings.results:
        return
    {"summary": _summary, "category": _by_category, "dag": _by_step}[form](findings)


def _counts(findings: Findings) -> str:
    diff, side = findings.diff, findings.sides[0]
    differing = sum(not pair.is_equal for pair in diff.pairs)
    parts = [f"{wording.count(differing, 'step')} differ{'s' if differing == 1 else ''}"]
    same = len(diff.pairs) - differing
    if same:
        parts.append(f"{same:,} came to the same")
    if side.shared:
        parts.append(f"{side.shared:,} shared")
    if diff.removed:
        parts.append(f"{len(diff.removed):,} in A only")
    if diff.added:
        parts.append(f"{len(diff.added):,} in B only")
    one = findings.sides[0].target.hash == findings.sides[1].target.hash
    if not any(side.roots for side in findings.sides):
        return "the same bytes" if one else "other bytes, and no recorded job made either of them"
    roots = findings.sides[0].roots
    if not one and roots == findings.sides[1].roots:
        return f"two results of {findings.label(0, roots[0])}"
    if not diff.changes and not findings.results and not diff.added and not diff.removed:
        return f"nothing differs ({', '.join(parts[1:]) or '1 job'})"
    return ", ".join(parts)


def _summary(findings: Findings) -> None:
    changes = [change for change, _ in findings.diff.changes]
    reasons = [change for change in changes if change.effect != "no" and not _is_weak(change)]
    if reasons:
        _heading("most likely because of")
        for number, change in enumerate(reasons[:_REASONS_SHOWN], start=1):
            _tell(change, findings, f"{number:>2} ")
    rest = reasons[_REASONS_SHOWN:]
    without = [change for change in changes if change.effect == "no"]
    weak = [change for change in changes if change.effect != "no" and _is_weak(change)]
    if rest or without or weak:
        notes = [f"{len(rest):,} less likely"] if rest else []
        if without:
            notes.append(f"{len(without):,} in steps whose results are the same")
        if weak:
            notes.append(f"{len(weak):,} that explain nothing by themselves")
        output.line(f"   {output.symbol('…', '...')} and {', '.join(notes)}: --format category")
    if findings.results or _endings(findings):
        _heading("results")
        _tell_results(findings, _asked_first(findings), _RESULTS_SHOWN)


def _by_category(findings: Findings) -> None:
    for category in _CATEGORIES:
        changes = [c for c, _ in findings.diff.changes if c.category == category]
        if changes:
            _heading(category)
            for change in changes:
                _tell(change, findings, "   ", with_effect=True)
    if findings.results or _endings(findings):
        _heading("outputs")
        _tell_results(findings, findings.results, None)


def _by_step(findings: Findings) -> None:
    diff = findings.diff
    _heading("steps, in the order in which data passed")
    levels = findings.sides[0].levels, findings.sides[1].levels
    rows: list[tuple[int, int, str, int | None, int | None]] = [
        (levels[0][pair.before], 0, "=" if pair.is_equal else "~", pair.before, pair.after)
        for pair in diff.pairs
    ]
    rows += [(levels[0][job], 1, "-", job, None) for job in diff.removed]
    rows += [(levels[1][job], 2, "+", None, job) for job in diff.added]
    for _, _, mark, old, new in sorted(rows, key=lambda row: row[:2]):
        side, job = (0, old) if new is None else (1, new)
        assert job is not None
        found = findings.sides[side].jobs[job]
        names = dict.fromkeys(filter(None, (findings.label(0, old), findings.label(1, new))))
        colour = {"=": "dim", "~": "yellow", "-": "red", "+": "green"}[mark]
        title = wording.fit(wording.title(found.name, found.command), 80)
        steps = f" {arrow()} ".join(names)
        output.line(f"{output.style(mark, colour)} {output.style(steps, 'bold')}  {title}")
        for change, _ in diff.changes:
            if (old, new) in change.steps and change.code not in ("step_added", "step_removed"):
                output.line(f"    {change.category}  {change_words(change, findings)}")
        mine = [r for r in findings.results if (r.pair.before, r.pair.after) == (old, new)]
        for line in _result_lines(findings, mine[:_RESULTS_SHOWN]):
            output.line(f"    {line}")


def _tell(change: Change, findings: Findings, lead: str, *, with_effect: bool = False) -> None:
    effect = "  (its results are the same)" if with_effect and change.effect == "no" else ""
    output.line(
        f"{lead} {output.style(f'{change.category:<11}', 'cyan')} {change_words(change, findings)}"
        f"  {output.style(steps_words(change, findings), 'dim')}{effect}"
    )
    for line in change_details(change, findings):
        output.line(f"{' ' * (len(lead) + 13)}{line}")


def _is_weak(change: Change) -> bool:
    from roar_core.lineage.changes import WEIGHTS

    return WEIGHTS[change.code] < 0.1


def _asked_first(findings: Findings) -> list[Result]:
    """The results of what was asked about come before those on the way there."""
    roots = set(findings.sides[1].roots)
    return sorted(findings.results, key=lambda result: result.pair.after not in roots)


def _tell_results(findings: Findings, results: list[Result], limit: int | None) -> None:
    for line in _endings(findings):
        output.line(f"    {line}")
    shown = results if limit is None or len(results) <= limit + 1 else results[:limit]
    for line in _result_lines(findings, shown):
        output.line(f"    {line}")
    if len(shown) < len(results):
        left = len(results) - len(shown)
        output.line(f"    {output.symbol('…', '...')} and {left:,} more outputs: --format category")


def _result_lines(findings: Findings, results: Iterable[Result]) -> Iterable[str]:
    for result in results:
        before, after = result.match.before, result.match.after
        edge = after or before
        assert edge is not None
        name = findings.project.relative(edge.path) or edge.path
        if before is None or after is None:
            yield f"{output.printable(name)}  written by {'A' if after is None else 'B'} only"
            continue
        was = findings.project.relative(before.path) or before.path
        name = name if was == name else f"{was} {arrow()} {name}"
        hashes = f"{wording.short_hash(before.hash)} {arrow()} {wording.short_hash(after.hash)}"
        yield f"{output.printable(name)}  {output.style(hashes, 'dim')}"
        for line in value_lines(result.values):
            yield f"  {line}"


def _endings(findings: Findings) -> list[str]:
    """How what was asked about ended and how long it took, where that differs."""
    lines = []
    roots = set(findings.sides[1].roots)
    for pair in findings.diff.pairs:
        old, new = findings.sides[0].jobs[pair.before], findings.sides[1].jobs[pair.after]
        ends = [wording.ending(job.state, job.exit_code, job.signal) for job in (old, new)]
        if ends[0] != ends[1]:
            lines.append(f"{findings.call(new.uid)} {ends[0]} {arrow()} {ends[1]}")
        if pair.after in roots and len(roots) == 1 and old is not new:
            times = [
                "?" if job.duration_s is None else wording.duration(job.duration_s)
                for job in (old, new)
            ]
            lines.append(f"took {times[0]} {arrow()} {times[1]}")
    return lines


def _heading(text: str) -> None:
    output.line()
    output.line(output.style(text, "bold"))

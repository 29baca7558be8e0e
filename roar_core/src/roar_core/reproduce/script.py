"""Write a plan as a shell script that a person can read, change and run.

Every word is quoted: a recorded command or name can be anything. Comments hold printable characters
only, so that no name ends one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from roar_core.environment.objects import object_path
from roar_core.reproduce.checkout import APPLY, SCRATCH
from roar_core.reproduce.commands import (
    code_commands,
    folder_of,
    is_code_changed,
    preparations,
    quoted,
    shell_line,
    step_command,
)
from roar_core.reproduce.environments import roar_command
from roar_core.reproduce.plan import Code, Plan, PlannedStep
from roar_core.reproduce.snapshots import has_object, read_snapshot

_ROAR = " ".join(map(quoted, roar_command()))


def script(plan: Plan, objects: str) -> bytes:
    """The script: it stops at the first failure, and compares the digests at its end."""
    return os.fsencode("\n".join(_lines(plan, objects)) + "\n")


def _lines(plan: Plan, objects: str) -> Iterator[str]:
    yield "#!/bin/sh"
    yield f"# Reproduces {_printable(plan.ref)}; written by: roar reproduce --script"
    for text in plan.told_by:
        yield f"# Not recorded here: {_printable(text)}"
    for text in (*plan.problems, *plan.notes):
        yield f"# Note: {_printable(text)}"
    yield "set -eu"
    yield f'roar() {{ {" ".join(map(quoted, roar_command()))} "$@"; }}'
    if not plan.in_place:
        target = quoted(plan.target)
        yield f"if [ -e {target} ]; then echo 'the target exists already' >&2; exit 3; fi"
        if plan.source is None:
            yield f"mkdir -p -- {target}"
    is_prepared = False
    for command in preparations(plan):
        yield shell_line(command)
        if not is_prepared:
            yield from _scratch(plan)
            is_prepared = True
    if not is_prepared and not plan.in_place:
        yield from _scratch(plan)
    code: Code | None = None
    data: dict[str, None] = {}
    unpacked: list[str] = []
    for step in plan.steps:
        yield ""
        yield f"# {_printable(step.label)}"
        if step.refusal:
            yield f"echo {quoted(f'{step.label} cannot be run: {_printable(step.refusal)}')} >&2"
            yield "exit 3"
            continue
        if is_code_changed(step, code):
            brought = {i.relative for i in step.inputs if i.origin in ("commit", "snapshot")}
            yield from (f"rm -f -- {quoted(path)}" for path in unpacked)
            yield from _switch(plan, step, objects, [d for d in data if d not in brought])
            code = step.code
            unpacked = _unpacked(plan, code, objects)
        for source, relative in _copies(step):
            if not plan.in_place:
                place = f"{plan.target_project}/{relative}"
                yield f"mkdir -p -- {quoted(folder_of(place))}"
                yield f"cp -- {quoted(source)} {quoted(place)}"
            data[relative] = None
        command = step_command(plan, step)
        yield f"mkdir -p -- {quoted(command.cwd or '.')}"
        yield shell_line(command, _ROAR) + _tolerated(step)
        data.update((output.relative, None) for output in step.outputs if output.relative)
        yield from _check(plan, step)


def _scratch(plan: Plan) -> Iterator[str]:
    yield f"mkdir -p -- {quoted(f'{plan.target}/{SCRATCH}')}"
    yield f"echo '*' > {quoted(f'{plan.target}/{SCRATCH}/.gitignore')}"
    # A project of its own from the start, wherever the target lies.
    yield f"mkdir -p -- {quoted(plan.target_project)}"
    yield f"(cd {quoted(plan.target_project)} && {_ROAR} init) >/dev/null"


def _switch(plan: Plan, step: PlannedStep, objects: str, data: list[str]) -> Iterator[str]:
    commands = list(code_commands(plan, step.code, objects))
    if not commands:
        return
    aside = f"{plan.target}/{SCRATCH}/aside"
    pairs = [(f"{plan.target_project}/{d}", f"{aside}/{n}") for n, d in enumerate(data)]
    if pairs:
        yield f"mkdir -p -- {quoted(aside)}"
    for place, kept in pairs:
        yield f"if [ -f {quoted(place)} ]; then mv -f -- {quoted(place)} {quoted(kept)}; fi"
    for command in commands:
        yield shell_line(command)
    if step.code.snapshot:
        patch = quoted(f"{plan.target}/{SCRATCH}/patch.diff")
        files = quoted(f"{plan.target}/{SCRATCH}/files")
        archive = quoted(object_path(objects, step.code.snapshot))
        yield f"# the snapshot of what was not committed: {_printable(archive)}"
        git = f"git -C {quoted(plan.target)} {' '.join(APPLY)} {patch}"
        yield f"if [ -f {patch} ]; then {git}; rm -- {patch}; fi"
        yield f"if [ -d {files} ]; then cp -R -P -- {files}/. {quoted(plan.target)}/; fi"
        yield f"rm -rf -- {files}"
    for place, kept in pairs:
        yield (
            f"if [ -f {quoted(kept)} ]; then mkdir -p -- {quoted(folder_of(place))};"
            f" mv -f -- {quoted(kept)} {quoted(place)}; fi"
        )


def _unpacked(plan: Plan, code: Code, objects: str) -> list[str]:
    """The untracked files that a snapshot brings, which the next code may not have."""
    if code.snapshot is None or plan.in_place or not has_object(objects, code.snapshot):
        return []
    return [f"{plan.target}/{name}" for name in read_snapshot(objects, code.snapshot).files]


def _copies(step: PlannedStep) -> Iterator[tuple[str, str]]:
    for planned in step.inputs:
        if planned.relative is None:
            continue
        if planned.members:
            for member in planned.members:
                if member.found is not None:
                    yield member.found, f"{planned.relative}/{member.name}"
        elif planned.origin in ("copy", "unverified") and planned.found is not None:
            yield planned.found, planned.relative


def _tolerated(step: PlannedStep) -> str:
    """A step that is recorded to have failed may fail again."""
    return "" if step.job.state == "succeeded" else " || true"


def _check(plan: Plan, step: PlannedStep) -> Iterator[str]:
    """Compare by b3sum, where it is installed."""
    for output in step.outputs:
        if output.relative is None or output.kind != "file" or output.hash is None:
            continue
        digest = output.hash.removeprefix("blake3:")
        place = quoted(f"{plan.target_project}/{output.relative}")
        # From standard input: of a name with a backslash or a newline b3sum prints another form.
        yield (
            f'if command -v b3sum >/dev/null; then [ "$(b3sum --no-names < {place})" = {digest} ]'
            f" && echo {quoted(f'identical: {_printable(output.relative)}')}"
            f" || echo {quoted(f'DIFFERS: {_printable(output.relative)}')}; fi"
        )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)

"""Every command of a plan, in order: what is shown before anything runs, and what a script does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from roar_core.environment.objects import object_path
from roar_core.environment.output_of import program
from roar_core.reproduce.checkout import SCRATCH, clone_words
from roar_core.reproduce.environments import creation_commands
from roar_core.reproduce.plan import Code, Plan, PlannedStep


class Command(NamedTuple):
    """A command line, where it runs (absolute; None: anywhere), what it is given, and for what.

    `environment` is the directory of a virtual environment whose programs come first. `step` is set
    when it is a recorded command, which runs under `roar run`.
    """

    argv: tuple[str, ...]
    cwd: str | None = None
    variables: Mapping[str, str] = {}
    environment: str | None = None
    step: PlannedStep | None = None


def preparations(plan: Plan) -> Iterator[Command]:
    """What makes the target: the clone and the environments."""
    if plan.in_place:
        return
    if plan.source is not None:
        source = plan.source.checkout or plan.source.remote or ""
        yield Command(("git", *clone_words(plan.target, source)))
    uv = program("uv")
    for environment in plan.environments:
        folder = f"{plan.target}/{SCRATCH}/{environment.name}"
        for argv in creation_commands(environment, folder, uv):
            yield Command(tuple(argv))


def code_commands(plan: Plan, code: Code, objects: str) -> Iterator[Command]:
    """What brings the target to a step's code."""
    if plan.in_place or plan.source is None:
        return
    if code.commit is not None:
        words = ("checkout", "--quiet", "--force", "--detach", code.commit)
        yield Command(("git", "-C", plan.target, *words))
    if code.snapshot is not None:
        yield Command(
            ("tar", "-xf", object_path(objects, code.snapshot)), f"{plan.target}/{SCRATCH}"
        )


def step_command(plan: Plan, step: PlannedStep) -> Command:
    """The recorded command as it would run in the target."""
    root = plan.target_project
    environment = step.environment and f"{plan.target}/{SCRATCH}/{step.environment}"
    return Command(
        argv=step.command,
        cwd=root if step.cwd == "." else f"{root}/{step.cwd}",
        variables=step.variables,
        environment=environment,
        step=step,
    )


def roar_words(step: PlannedStep) -> list[str]:
    """The arguments of roar that carry out a step: its command under `run`, or a get itself."""
    if step.job.kind == "get":
        return list(step.command[1:])
    return [*_run_words(step), *step.command]


def _run_words(step: PlannedStep) -> list[str]:
    """What stands before a step's own command."""
    words = ["build" if step.is_build else "run"]
    if step.job.name:
        words.append(f"--name={step.job.name}")
    if step.code.commit or step.code.snapshot:
        # Whatever the checkout is set to: the record is to be comparable with the first one.
        words.append("--dirty=snapshot")
    return [*words, "--"]


def quoted(word: str) -> str:
    """The word for a POSIX shell, whatever it holds; a newline stays part of it."""
    if word and re.fullmatch(r"[\w@%+=:,./-]+", word, re.ASCII):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def shell_line(command: Command, roar: str = "roar") -> str:
    """The command as a person would type it; `roar` is how roar is called, quoted."""
    words: list[str] = []
    if command.variables or command.environment:
        words.append("env")
        if command.environment:
            words.append(f'PATH={quoted(f"{command.environment}/bin")}:"$PATH"')
            words.append(f"VIRTUAL_ENV={quoted(command.environment)}")
        words += (quoted(f"{name}={value}") for name, value in command.variables.items())
    if command.step is not None:
        words += [roar, *map(quoted, roar_words(command.step))]
    else:
        words += map(quoted, command.argv)
    line = " ".join(words)
    return line if command.cwd is None else f"(cd {quoted(command.cwd)} && {line})"


def is_code_changed(step: PlannedStep, before: Code | None) -> bool:
    """Whether the target's code has to be changed for a step."""
    return before is None or step.code != before


def folder_of(path: str) -> str:
    """The directory that holds `path`."""
    return os.path.dirname(path) or "."  # noqa: PTH120 - text that may hold any bytes

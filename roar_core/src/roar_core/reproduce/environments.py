"""Make the virtual environments of a plan: by uv when it is present, else by venv and pip."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

from roar_core.environment.output_of import program
from roar_core.errors import UnreproducibleError
from roar_core.reproduce.plan import EnvironmentPlan

# Of the caller's own environment; it would have the new interpreter read another's packages.
_UNWANTED = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "CONDA_PREFIX")


def creation_commands(plan: EnvironmentPlan, folder: str, uv: str | None) -> list[list[str]]:
    """The commands that make the environment in `folder` and install what it needs."""
    requirements = plan.requirements
    if uv is not None:
        name, _, version = plan.interpreter.partition(" ")
        exact = version if name == "cpython" else f"{name}@{version}"
        is_exact = plan.base is not None and plan.base_version == plan.interpreter
        base = plan.base if is_exact and plan.base is not None else exact
        commands = [[uv, "venv", "--quiet", "--no-project", "--python", base, folder]]
        if requirements:
            python = f"{folder}/bin/python"
            commands.append([uv, "pip", "install", "--quiet", "--python", python, *requirements])
        return commands
    if plan.base is None:
        return []
    bare = [] if requirements else ["--without-pip"]
    commands = [[plan.base, "-I", "-m", "venv", *bare, folder]]
    if requirements:
        commands.append([*pip(folder), *requirements])
    return commands


def pip(folder: str) -> list[str]:
    """The beginning of a pip command that installs into the environment in `folder`."""
    return [
        *(f"{folder}/bin/python", "-I", "-m", "pip", "install", "--quiet", "--no-input"),
        "--disable-pip-version-check",
    ]


class Maker:
    """Makes environments below `folder`; `warn` is told what could not be had."""

    def __init__(
        self, folder: str, environ: Mapping[str, str], warn: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._environ = {k: v for k, v in environ.items() if k not in _UNWANTED}
        self._warn = warn
        self._uv = program("uv")

    def place(self, plan: EnvironmentPlan) -> str:
        """Where the environment is or will be."""
        return f"{self._folder}/{plan.name}"

    def make(self, plan: EnvironmentPlan) -> list[str]:
        """Make one environment; returns what could not be installed, in sentences.

        Raises `UnreproducibleError` when there is no interpreter to make it of.
        """
        folder = self.place(plan)
        commands = creation_commands(plan, folder, self._uv)
        if not commands:
            raise UnreproducibleError(
                f"{plan.interpreter} is not on PATH; install it, or uv, which fetches it"
            )
        problem = self._run(commands[0])
        if problem is not None and self._uv is not None and plan.base is not None:
            self._warn(f"{plan.name}: uv has no {plan.interpreter} ({problem})")
            closest = [self._uv, "venv", "--quiet", "--no-project", "--python", plan.base, folder]
            problem = self._run(closest)
        if problem is not None:
            raise UnreproducibleError(
                f"no environment of {plan.interpreter} could be made: {problem};"
                " installing uv, or your system's python3-venv, may help"
            )
        if len(commands) == 1 or self._run(commands[1]) is None:
            return []
        return self._install_singly(plan, commands[1][: -len(plan.requirements)])

    def _install_singly(self, plan: EnvironmentPlan, install: list[str]) -> list[str]:
        """One by one, without their metadata: recorded packages need not agree with each other."""
        problems = []
        for requirement in plan.requirements:
            problem = self._run([*install, "--no-deps", requirement])
            if problem is not None:
                problems.append(f"{plan.name}: {requirement} could not be installed: {problem}")
        return problems

    def _run(self, argv: list[str]) -> str | None:
        """None when it succeeded, else the last thing it said."""
        try:
            done = subprocess.run(
                argv,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
        except OSError as error:
            return f"{argv[0]} cannot be executed: {error.strerror}"
        if done.returncode == 0:
            return None
        words = done.stderr.decode(errors="replace").strip().splitlines()
        lines = [line for line in words if "error" in line.lower()] or words
        return lines[-1].strip() if lines else f"exit code {done.returncode}"


def activated(
    environ: Mapping[str, str], folder: str | None, variables: Mapping[str, str]
) -> dict[str, str]:
    """The caller's environment with a virtual environment's programs first and `variables`."""
    changed = dict(environ)
    if folder is not None:
        changed.pop("PYTHONHOME", None)
        changed["VIRTUAL_ENV"] = folder
        changed["PATH"] = f"{folder}/bin{os.pathsep}{environ.get('PATH', os.defpath)}"
    return {**changed, **variables}


def roar_command() -> list[str]:
    """How this roar is called, whatever environment is activated."""
    return [sys.executable, "-m", "roar_core"]

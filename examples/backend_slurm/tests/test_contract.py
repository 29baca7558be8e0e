"""The promises of every backend, kept for Slurm."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from roar_backend_slurm import SlurmBackend
from roar_backend_slurm.client import SHELL_SCRIPT, place_of_command

from roar_core.hookspecs import ExecutionBackend, RunContext
from roar_core.testing.backend import BackendContract


class TestSlurm(BackendContract):
    claimed = ("srun", "-n", "2", "true")
    added_variables = frozenset({"PATH"})

    @pytest.fixture
    def make_backend(
        self, slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], ExecutionBackend]:
        for name, value in slurm.items():
            monkeypatch.setenv(name, value)
        return SlurmBackend

    @pytest.fixture
    def reported(self, backend: ExecutionBackend, run: RunContext) -> int:
        """Two tasks of one step."""
        plan = backend.plan(run, os.environ)
        devnull = subprocess.DEVNULL
        done = subprocess.run(
            plan.argv, env=plan.environ, stdin=devnull, stdout=devnull, stderr=devnull, check=False
        )
        assert done.returncode == 0
        return 2


@pytest.mark.parametrize(
    ("client", "words", "at"),
    [
        ("srun", "true", 0),
        ("srun", "-n 2 -J sort sort in", 4),
        ("srun", "-n2 --job-name sort --overlap sort", 4),
        ("srun", "-lun 2 --exclusive --label sort -n", 4),
        ("srun", "--job-name=sort -- sort", 2),
        ("srun", "-W 3 true", 2),
        ("sbatch", "-W train.sh -n", 1),
        ("sbatch", "--wait --array 0-3 train.sh", 3),
        ("sbatch", "--wrap=true", 1),
        ("srun", "", 0),
        # Words that an option may have joined to it, and options that are cut short.
        ("srun", "-K1 -I5 -lK0 true", 3),
        ("srun", "--overl --lab true", 2),
        ("sbatch", "--wait-all-nodes 1 train.sh", 2),
    ],
)
def test_the_command_is_found_after_the_client_s_options(client: str, words: str, at: int) -> None:
    assert place_of_command(client, tuple(words.split())) == at


@pytest.mark.parametrize(
    ("line", "is_shell"),
    [
        (b"#!/bin/sh", True),
        (b"#! /usr/bin/env bash", True),
        (b"#!/bin/bash -eu", True),
        (b"#!/bin/tcsh", False),
        (b"#!/opt/sh/python", False),
    ],
)
def test_only_a_shell_gets_a_line_of_shell(line: bytes, is_shell: bool) -> None:
    assert bool(SHELL_SCRIPT.match(line + b"\n#SBATCH -n 2\ntrue\n")) is is_shell


def test_the_backend_is_small() -> None:
    source = Path(sys.modules["roar_backend_slurm"].__file__ or "").parent.glob("*.py")
    lines = [line for file in source for line in file.read_text().splitlines() if line.strip()]
    assert len(lines) < 150

"""A run inside a run: each is recorded, and the outer one has what the inner one did."""

from __future__ import annotations

import os
import shlex
import sys

import pytest

from roar_core.plugins import tracers
from roar_core.testing.needs import require_usable
from roar_core.testing.projects import ProjectUnderTest

pytestmark = pytest.mark.usefixtures("each_tracer")

ROAR = f"{shlex.quote(sys.executable)} -m roar_core"


def files_of(project: ProjectUnderTest, step: str) -> tuple[set[str], set[str]]:
    """What a step read and wrote in its project."""
    job = project.json("show", step)
    reads, writes = (
        {edge["relative"] for edge in job[side] if edge["relative"]}
        for side in ("inputs", "outputs")
    )
    return reads, writes


def test_the_outer_run_has_what_the_inner_one_did(
    project: ProjectUnderTest, each_tracer: str
) -> None:
    project.write("in", "content\n")
    inner = f"{ROAR} run sh -c 'cat in > made; mv made out; touch gone; rm gone'"
    result = project.roar("run", "sh", "-c", f"{inner}; cat out > last")
    assert result.exit_code == 0
    assert files_of(project, "@1") == ({"in"}, {"out", "last"})
    outer = project.json("show", "@1")
    assert outer["coverage"] == {"state": "complete", "reasons": []}
    # roar's own sources are not the command's, wherever they lie.
    assert not [edge["path"] for edge in outer["inputs"] if "/roar_core/" in edge["path"]]
    if each_tracer != "ptrace":  # one listener to a chain of filters: seccomp(2)
        assert files_of(project, "@2") == ({"in"}, {"out"})
    assert os.listdir(project.root / ".roar/journals") == []


def test_what_an_inner_run_leaves_in_the_background_is_the_outer_ones_too(
    project: ProjectUnderTest,
) -> None:
    result = project.roar("run", "sh", "-c", f"{ROAR} run sh -c 'sleep 600 >&- 2>&- & echo $!'")
    left = int(result.stdout)
    assert os.path.exists(f"/proc/{left}")
    os.kill(left, 9)
    coverage = project.json("show", "@1")["coverage"]
    assert [reason["code"] for reason in coverage["reasons"]] == ["outlived"]


def test_the_inner_run_may_be_seen_by_another_tracer(
    project: ProjectUnderTest, each_tracer: str
) -> None:
    """Below preload its successor, ptrace, is started by the inner roar and by nobody else."""
    project.environ["ROAR_RUN__FALLBACK"] = "true"
    other = "ptrace" if each_tracer == "preload" else "preload"
    require_usable({tracer.name: tracer for tracer in tracers().usable}[other])
    project.write("in", "content\n")
    inner = f"{ROAR} run --tracer {other} sh -c 'cat in > out'"
    assert project.roar("run", "sh", "-c", f"{inner}; true").exit_code == 0
    for step in ("@1", "@2"):
        assert files_of(project, step) == ({"in"}, {"out"})
        assert project.json("show", step)["coverage"] == {"state": "complete", "reasons": []}

"""Workflows that are really run: what comes back, and that nothing else changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from osmo_cluster import Cluster, collected, shown, submitted, tasks_of

from roar_core.testing.projects import ProjectUnderTest

SERIAL = """\
workflow:
  name: serial
  tasks:
  - name: make
    image: ubuntu:24.04
    command: [sh, -c]
    args: ["echo 3 > {{output}}/numbers; echo made"]
  - name: sum
    image: ubuntu:24.04
    command: ["bash", "/tmp/run.sh"]
    inputs:
    - task: make
    outputs:
    - url: s3://results/serial/
    files:
    - path: /tmp/run.sh
      contents: |
        cat {{input:0}}/numbers {{input:0}}/numbers > {{output}}/sum
"""



def test_a_workflow_s_tasks_come_back_with_what_they_did(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("serial.yaml", SERIAL)
    result = project.run("osmo", "workflow", "submit", "serial.yaml")
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert result.stdout.splitlines()[1] == "Workflow ID        - serial-1"
    assert project.read("serial.yaml") == SERIAL
    assert result.job is not None
    assert "serial.yaml" in result.reads
    assert not [path for path in result.reads if "roar_" in path]
    [reason] = result.job["coverage"]["reasons"]
    assert reason["detail"] == "tasks of serial-1 have not ended: later, roar collect"
    assert not cluster.calls("query"), "nobody waits for osmo to say that nothing has ended"
    # Before it has run, and while it runs, there is nothing to bring in.
    assert (collected(project)["merged"], collected(project)["open"]) == (0, True)
    cluster.run("serial-1")
    run = collected(project)
    assert (run["merged"], run["open"]) == (2, False)
    job = project.json("show", "@1")
    assert job["coverage"]["reasons"] == []
    make, add = tasks_of(job)
    numbers, total = "/osmo/serial-1/make/output/numbers", "/osmo/serial-1/sum/output/sum"
    assert shown(project, make["uid"]) == (set(), {numbers})
    assert shown(project, add["uid"]) == ({numbers}, {total, "s3://results/serial/"})
    assert (make["state"], make["exit_code"]) == ("succeeded", 0)
    # The bytes that passed between them tie the tasks together.
    inputs = {edge["path"]: edge for edge in project.json("show", add["uid"])["inputs"]}
    assert inputs[numbers]["producer"] == make["uid"]
    # Where nobody may see it, nothing of ours is left: not in what the tasks put out.
    assert [path.name for path in (cluster.folder / "store/results").rglob("*")] == [
        "serial",
        "sum",
    ]
    assert project.json("collect")["runs"] == []

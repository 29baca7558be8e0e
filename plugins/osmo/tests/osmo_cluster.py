"""A synthetic OSMO of this machine's own, and what tests ask of what roar recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs

from roar_core.testing.projects import ProjectUnderTest

FAKE = Path(__file__).with_name("fake_osmo.py")


@attrs.frozen
class Cluster:
    """The synthetic OSMO of one project; `osmo` is on the PATH of its commands."""

    project: ProjectUnderTest
    folder: Path

    def behave(self, **how: Any) -> None:
        """What is to go wrong from now on, see `fake_osmo.behaviour`."""
        (self.folder / "behaviour.json").write_text(json.dumps(how))

    def run(self, workflow: str) -> None:
        """Run a submitted workflow to its end, in real processes."""
        command = (sys.executable, str(FAKE), "cluster", workflow)
        subprocess.run(command, env=self.project.environment(), check=True, timeout=120)

    def state(self, workflow: str) -> Any:
        return json.loads((self.folder / "workflows" / workflow / "state.json").read_text())

    def statuses(self, workflow: str) -> dict[tuple[str, int], tuple[str, int | None]]:
        """(task, retry) -> status and exit code, as the platform has them."""
        attempts = self.state(workflow)["attempts"]
        return {(a["name"], a["retry_id"]): (a["status"], a["exit_code"]) for a in attempts}

    def file(self, workflow: str, pod: str, name: str) -> Path:
        return self.folder / "pods" / workflow / pod / name

    def calls(self, verb: str) -> list[list[str]]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [call for call in map(json.loads, lines) if call[1] == verb]

    def leave_out_roar(self) -> None:
        """Tasks run where no Python has roar-core."""
        self.project.environ["FAKE_OSMO_PATH"] = "/usr/bin:/bin"


def submitted(project: ProjectUnderTest, text: str, *options: str) -> Any:
    """Submit a workflow's text under `roar run`; the command must succeed."""
    project.write("workflow.yaml", text)
    result = project.run("osmo", "workflow", "submit", "workflow.yaml", *options)
    assert result.exit_code == 0, result.stderr
    return result


def collected(project: ProjectUnderTest) -> Any:
    """What `roar collect` says of the one run that is open."""
    [run] = project.json("collect")["runs"]
    return run


def tasks_of(job: Any) -> list[Any]:
    """The attempts below a job, in the order of their groups."""
    return [task for group in job["tasks"] for task in group["jobs"]]


def shown(project: ProjectUnderTest, uid: str) -> tuple[set[str], set[str]]:
    """The paths and URLs that a job read and wrote."""
    job = project.json("show", uid)
    inputs, outputs = ({edge["path"] for edge in job[side]} for side in ("inputs", "outputs"))
    return inputs, outputs

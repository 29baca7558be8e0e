"""What is missing of a run is told by what lies in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roar_core.hookspecs import RunContext
from roar_ray.collecting import Collecting


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    folder = tmp_path / "folder"
    for name in ("drivers", "submissions"):
        (folder / name).mkdir(parents=True)
    return RunContext("ab" * 16, ("true",), tmp_path, tmp_path, folder)


def write(run: RunContext, name: str, **facts: object) -> None:
    (run.folder / name).write_text(json.dumps(facts))


def reasons(run: RunContext) -> dict[str, tuple[int, str]]:
    found = Collecting(run, {}).coverage().reasons
    return {each.code: (each.count, each.detail) for each in found}


def test_a_driver_out_of_reach_is_told(run: RunContext) -> None:
    for name, was_driver in (("here", True), ("away", True), ("no-ray", False)):
        job = {"submission": name, "status": "SUCCEEDED", "was_driver": was_driver}
        write(run, f"submissions/{name}.json", **job, python="/no/python")
    write(run, "drivers/1.1.json", submission="here", has_ended=True)
    assert reasons(run) == {
        "out_of_reach": (1, "jobs submitted to Ray ran where this machine's folders are not seen")
    }


def test_workers_without_an_agent_are_counted(run: RunContext) -> None:
    write(run, "drivers/1.1.json", has_ended=True, unobserved=["OSError: full", "OSError: full"])
    words = "workers of Ray were not observed: OSError: full"
    assert reasons(run) == {"unobserved": (2, words)}

"""What is added to a submitted job, in whatever form the user has described its environment."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

import pytest

from roar_ray.driver import carrying, submitting
from roar_ray.driver.faults import Faults
from roar_ray.driver.told import Told


class Status(enum.Enum):
    SUCCEEDED = "SUCCEEDED"


class Client:
    """Ray's client as far as it matters here: it keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def submit_job(self, **named: Any) -> str:
        self.given.append(named)
        return "raysubmit_1"

    def get_job_info(self, job_id: str) -> Any:
        return type("Info", (), {"status": Status.SUCCEEDED})()

    def get_job_status(self, job_id: str) -> Status:
        return Status.SUCCEEDED

    def get_address(self) -> str:
        return "http://cluster:8265"


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (None, {"py_modules": ["P"], "env_vars": {"ROAR_NO_TELEMETRY": "1"}}),
        ({}, {"py_modules": ["P"], "env_vars": {"ROAR_NO_TELEMETRY": "1"}}),
        (
            {"working_dir": ".", "pip": ["a"], "env_vars": {"A": "1"}},
            {
                "working_dir": ".",
                "pip": ["a"],
                "py_modules": ["P"],
                "env_vars": {"ROAR_NO_TELEMETRY": "1", "A": "1"},
            },
        ),
        (
            {"py_modules": ["mine"], "env_vars": {"ROAR_NO_TELEMETRY": "0", "LD_PRELOAD": "x"}},
            {
                "py_modules": ["P", "mine"],
                "env_vars": {"ROAR_NO_TELEMETRY": "0", "LD_PRELOAD": "x"},
            },
        ),
        (
            {"worker_process_setup_hook": "mod.hook", "config": {"eager_install": False}},
            {
                "worker_process_setup_hook": "mod.hook",
                "config": {"eager_install": False},
                "py_modules": ["P"],
                "env_vars": {"ROAR_NO_TELEMETRY": "1"},
            },
        ),
    ],
)
def test_the_user_s_environment_is_kept(theirs: Any, expected: dict[str, Any]) -> None:
    before = json.dumps(theirs)
    assert submitting.with_roar(theirs, "P") == expected
    assert json.dumps(theirs) == before, "what the user gave is the user's"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Code as it lies in a run's folder."""
    code = tmp_path / "python"
    code.mkdir()
    (code / "sitecustomize.py").write_text("# first")
    (code / "ray.json").write_text("{}")
    return code


def test_a_submission_takes_the_code_along_and_is_known(tmp_path: Path, folder: Path) -> None:
    told = Told("ab" * 16, str(tmp_path), "n")
    kind = type("Submitting", (Client,), {})
    submitting.join(kind, told, Faults(str(tmp_path)), str(folder))
    client = kind()
    assert client.submit_job(entrypoint="python x.py", runtime_env={"pip": ["a"]}) == "raysubmit_1"
    [given] = client.given
    assert given["entrypoint"] == "python x.py"
    [package] = given["runtime_env"]["py_modules"]
    assert Path(package).name == carrying.PACKAGE
    assert {path.name for path in Path(package).iterdir()} == {"__init__.py", "ray.json"}
    path = Path(submitting.path_of(str(tmp_path), "raysubmit_1"))
    assert "status" not in json.loads(path.read_text())
    assert client.get_job_status("raysubmit_1") is Status.SUCCEEDED
    assert json.loads(path.read_text())["status"] == "SUCCEEDED"
    client.get_job_info("another")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_failure_of_ours_submits_what_the_user_gave(tmp_path: Path) -> None:
    told = Told("ab" * 16, str(tmp_path), "n")
    kind = type("Submitting", (Client,), {})
    submitting.join(kind, told, Faults(str(tmp_path)), str(tmp_path / "gone"))
    client = kind()
    client.submit_job(entrypoint="true", runtime_env={"pip": ["a"]})
    assert client.given == [{"entrypoint": "true", "runtime_env": {"pip": ["a"]}}]
    assert "adding to a submitted job" in (tmp_path / "faults.jsonl").read_text()

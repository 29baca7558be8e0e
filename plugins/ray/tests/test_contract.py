"""The promises of every backend, kept by Ray's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from roar_core.hookspecs import ExecutionBackend, RunContext, ServingBackend
from roar_core.testing.backend import BackendContract
from roar_ray import roar_config_sections
from roar_ray.backend import RayBackend

SCRIPT = """
import ray

@ray.remote(max_retries=1, retry_exceptions=True)
def fails_once():
    try:
        open("tried", "x").close()
    except FileExistsError:
        return
    raise RuntimeError

@ray.remote
def reads():
    open("script.py").close()

ray.get([fails_once.remote(), reads.remote()])
"""


def settings(**changed: object) -> Mapping[str, object]:
    [section] = roar_config_sections()
    return {key.name: key.default for key in section.keys} | changed


class TestRay(BackendContract):
    claimed = ("ray", "job", "submit", "--working-dir", ".", "--", "python", "train.py")
    added_variables = frozenset({"PYTHONPATH"})

    @pytest.fixture
    def make_backend(self) -> Callable[[], ExecutionBackend]:
        return lambda: RayBackend(settings())

    @pytest.fixture
    def reported(self, run: RunContext, reports: Path) -> int:
        """Two tasks, one of them in two attempts; and the workers in which they ran."""
        shutil.copytree(reports, run.folder, dirs_exist_ok=True)
        return 2 + len(list(run.folder.rglob("journals/*.jnl")))


@pytest.fixture(scope="module")
def reports(ray_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that a real Ray has reported to; it takes seconds, so once for all."""
    folder, project = tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("project")
    (project / "script.py").write_text(SCRIPT)
    run = RunContext("ab" * 16, (ray_python, "script.py"), project, project, folder)
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "ROAR_"))},
        "HOME": str(tmp_path_factory.mktemp("home")),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "180",
    }
    environ |= RayBackend(settings()).adopt(run, environ)
    done = subprocess.run(run.command, cwd=project, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("path", "is_claimed"),
    [
        ("/tmp/ray/session_2026-11-30_15-55-33_647467_21196/logs/worker.out", True),
        ("/scratch/x/session_2026-11-30_15-55-33_647467_21196/sockets/raylet", True),
        ("/tmp/ray/ray_current_cluster", True),
        ("/home/ada/.ray/auth_token", True),
        ("/home/ada/session_notes/a.txt", False),
        ("/home/ada/ray/results.csv", False),
        (
            "/tmp/ray/session_2026-11-30_15-55-33_647467_21196/runtime_resources/"
            "working_dir_files/_ray_pkg_1/data.csv",
            False,
        ),
        (
            "/tmp/ray/session_2026-11-30_15-55-33_647467_21196/runtime_resources/"
            "py_modules_files/_ray_pkg_1/mine/__init__.py",
            False,
        ),
        (
            "/tmp/ray/session_2026-11-30_15-55-33_647467_21196/runtime_resources/"
            "py_modules_files/_ray_pkg_1/sitecustomize/ray.json",
            True,
        ),
        (
            "/tmp/ray/session_2026-11-30_15-55-33_647467_21196/runtime_resources/py_modules_files",
            False,
        ),
    ],
)
def test_what_is_ray_s_own_is_known_by_its_place(
    path: str, is_claimed: bool, tmp_path: Path
) -> None:
    run = RunContext("ab" * 16, ("true",), tmp_path, tmp_path, tmp_path / "folder")
    assert RayBackend(settings()).claims(run, Path(path)) is is_claimed


@pytest.mark.parametrize(
    ("words", "is_server"),
    [
        (("/opt/p/site-packages/ray/core/src/ray/gcs/gcs_server", "--log_dir=/tmp/x"), True),
        (("/opt/p/site-packages/ray/core/src/ray/raylet/raylet", "--x"), True),
        (("/usr/bin/python3", "-u", "/opt/p/ray/dashboard/dashboard.py", "--host=::"), True),
        (("ray-dashboard-NodeHead-0 (/usr/bin/python3 -c)",), True),
        (("ray::RuntimeEnvAgent",), True),
        (("ray::IDLE",), True),
        (("python", "-c", "from multiprocessing.resource_tracker import main;main(25)"), True),
        (("python", "-c", "from multiprocessing.forkserver import main; main(25, [1])"), False),
        (("ray::Trainer.fit",), False),
        (("python", "dashboard.py"), False),
        ((), False),
    ],
)
def test_what_outlives_the_command_is_a_server_or_missed(
    words: tuple[str, ...], is_server: bool, tmp_path: Path
) -> None:
    run = RunContext("ab" * 16, ("true",), tmp_path, tmp_path, tmp_path / "folder")
    backend = RayBackend(settings())
    assert isinstance(backend, ServingBackend)
    assert backend.serves(run, 7, words) is is_server
    for journals, pid in (("journals", 7), ("clusters/1/journals", 8)):
        (run.folder / journals).mkdir(parents=True)
        (run.folder / journals / f"aa.{pid}.jnl").touch()
        assert backend.serves(run, pid, words), "its tasks tell what is missing"
    assert backend.serves(run, 77, words) is is_server


@pytest.mark.parametrize(
    "words",
    [
        ("ray", "job", "submit", "--", "python", "x.py"),
        ("/opt/ray/bin/ray", "job", "submit", "--no-wait", "python", "x.py"),
    ],
)
def test_a_submission_keeps_every_word(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    backend = RayBackend(settings())
    assert backend.detect(words, {}, tmp_path) is not None
    run = RunContext("ab" * 16, words, tmp_path, tmp_path, folder)
    assert backend.plan(run, {"PATH": "/bin"}).argv == words


@pytest.mark.parametrize("words", [("ray", "start"), ("ray",), ("ray", "job", "list"), ("", "")])
def test_other_words_of_ray_s_are_adopted_like_any_command(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    assert RayBackend(settings()).detect(words, {}, tmp_path) is None

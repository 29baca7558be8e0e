"""What Slurm and OSMO ran elsewhere comes back by a real registry, and as it was when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from between import standing_between
from osmo_cluster import FAKE, Cluster, collected, submitted, tasks_of
from plugins.glaas.tests.conftest import Registry
from registrants import somebody

from roar_core.fragment_sessions.session import VARIABLE
from roar_core.testing.needs import require_any_tracer
from roar_core.testing.processes import kill_group, wait_for
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

SLURM = Path(__file__).parents[2] / "examples/backend_slurm"
OTHERS = "ROAR_TOKEN", "ROAR_REGISTRY__URL", "ROAR_FRAGMENTS__CARRIER"
SERIAL = """\
workflow:
  name: serial
  tasks:
  - {name: make, image: i, command: [sh, -c], args: ["env > {{output}}/seen; echo made"]}
  - {name: fail, image: i, command: [sh, -c], args: ["exit 3"], inputs: [{task: make}]}
"""


@pytest.fixture(scope="module")
def registry(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    with serve(f"sqlite:///{folder / 'glaas.db'}", folder / "data") as found:
        yield found


@pytest.fixture(autouse=True)
def asked_for(project: ProjectUnderTest, registry: Registry) -> None:
    """The user has a token, and wants fragments to go through the registry."""
    require_any_tracer()
    told = (somebody(registry).secret, registry.url, "registry")
    project.environ |= dict(zip(OTHERS, told, strict=True))


@pytest.fixture
def cluster(project: ProjectUnderTest, tmp_path: Path) -> Cluster:
    """An OSMO whose tasks get nothing of what the user has in his environment."""
    folder, programs = tmp_path / "osmo", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    (programs / "osmo").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    (programs / "osmo").chmod(0o755)
    project.environ |= {
        "PATH": f"{programs}:{project.environment()['PATH']}",
        "FAKE_OSMO": str(folder),
        "FAKE_OSMO_PATH": f"{os.path.dirname(sys.executable)}:/usr/bin:/bin",
    }
    return Cluster(project, folder)


def log_of(cluster: Cluster, task: str) -> str:
    return cluster.file("serial-1", f"{task}.0", "log").read_text()


def test_osmo_s_tasks_come_back_without_a_line_in_their_logs(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    submitted(project, SERIAL)
    cluster.run("serial-1")
    assert "ROAR1" not in log_of(cluster, "make") + log_of(cluster, "fail")
    run = collected(project)
    assert (run["merged"], run["open"]) == (2, False)
    job = project.json("show", "@1")
    assert job["coverage"]["reasons"] == []
    make, fail = tasks_of(job)
    assert (make["state"], fail["exit_code"]) == ("succeeded", 3)
    [seen] = cluster.folder.rglob("store/tasks/serial-1/make/seen")
    assert "@127.0.0.1" not in seen.read_text(), "the program's environment has no secret"
    assert not list((project.root / ".roar/runs").glob("*")), "nor has this machine any more"


def test_what_osmo_s_tasks_cannot_send_is_in_their_logs(
    project: ProjectUnderTest, cluster: Cluster, registry: Registry
) -> None:
    with standing_between(registry.url) as between:
        project.environ["ROAR_REGISTRY__URL"] = between.url
        submitted(project, SERIAL)
        between.refuse_after = len(between.requests)
        cluster.run("serial-1")
        assert cluster.statuses("serial-1")["fail", 0] == ("FAILED", 3)
        assert "ROAR1" in log_of(cluster, "make")
        # What did arrive is fetched once it can be, and what is in the logs before.
        assert (collected(project)["merged"], project.json("collect")["runs"]) == (2, [])


def test_a_workflow_is_attached_to_by_another_machine_whose_user_agrees(
    project: ProjectUnderTest, cluster: Cluster, tmp_path: Path
) -> None:
    submitted(project, SERIAL)
    cluster.run("serial-1")
    for name in ("other", "another-home"):
        (tmp_path / name).mkdir()
    other = ProjectUnderTest(tmp_path / "other", tmp_path / "another-home", project.plugins)
    other.environ |= {k: v for k, v in project.environ.items() if k not in OTHERS}
    (other.root / ".roar").mkdir()
    assert other.roar("osmo", "attach", "serial-1").exit_code == 0
    reasons = [r["detail"] for r in other.json("show", "@1")["coverage"]["reasons"]]
    [reason] = [words for words in reasons if "have sent to http://127.0.0.1" in words]
    assert reason.endswith("roar config set --global fragments.carrier registry")
    other.environ["ROAR_FRAGMENTS__CARRIER"] = "registry"
    run = collected(other)
    assert (run["merged"], run["open"]) == (2, False)
    tasks = tasks_of(other.json("show", "@1"))
    assert [task["state"] for task in tasks] == ["succeeded", "failed"]
    assert not any(task["task"].get("declared") for task in tasks)


# --- Slurm ----------------------------------------------------------------------------------------


@attrs.frozen
class Slurm:
    """The synthetic Slurm of the example, whose nodes do not find the run's folder."""

    project: ProjectUnderTest
    state: Path

    def is_over(self) -> bool:
        return not list(self.state.glob("*/lives"))


@pytest.fixture
def slurm(
    project: ProjectUnderTest, install_plugin: InstalledPlugins, tmp_path: Path
) -> Iterator[Slurm]:
    code = "from roar_backend_slurm import roar_backends"
    install_plugin("slurm-installed", code, group="roar.backends", entry="slurm")
    clients, state = tmp_path / "slurm", tmp_path / "state"
    fake = SLURM / "tests/fake_slurm.py"
    install = f"import sys; sys.path.insert(0, {str(fake.parent)!r}); import fake_slurm, pathlib"
    install += f"; fake_slurm.install(pathlib.Path({str(clients)!r}))"
    subprocess.run([sys.executable, "-c", install], check=True)
    (tmp_path / "node-tmp").mkdir()
    project.environ |= {
        "PYTHONPATH": f"{SLURM / 'src'}:{project.plugins.folder}",
        "PATH": f"{clients}:{project.environment()['PATH']}",
        "FAKE_SLURM": str(state),
        "TMPDIR": str(tmp_path / "node-tmp"),
    }
    null = subprocess.DEVNULL
    daemon = subprocess.Popen(
        [str(clients / "slurmd")], env=project.environment(), stdin=null, stdout=null, stderr=null
    )
    wait_for((state / "requests").exists)
    yield Slurm(project, state)
    daemon.kill()
    daemon.wait()


def test_slurm_s_tasks_come_back_although_roar_was_killed(
    project: ProjectUnderTest, slurm: Slurm
) -> None:
    slurm.state.joinpath("hold").touch()
    project.write("train.sh", "#!/bin/sh\n#SBATCH --array=0-1\nenv > seen.$SLURM_ARRAY_TASK_ID\n")
    waiting = "sbatch train.sh && touch submitted && exec sleep 600"
    driver = project.start(*project.roar_argv, "run", "--", "sh", "-c", waiting)
    wait_for((project.root / "submitted").exists)
    kill_group(driver)
    slurm.state.joinpath("hold").unlink()
    wait_for(slurm.is_over)
    [folder] = (project.root / ".roar/runs").glob("*/backend-slurm")
    assert not (folder / "attempts").exists(), "the nodes have not written there"
    assert (folder / "fragment-session.json").stat().st_mode & 0o077 == 0
    for _ in range(2):
        assert project.roar("collect").exit_code == 0
    job = project.json("show", "@1")
    found = {task["task"]["task"]: task["state"] for task in tasks_of(job)}
    assert found == {"1_0.batch.0": "succeeded", "1_1.batch.0": "succeeded"}
    assert VARIABLE not in project.read("seen.0") + project.read("seen.1")
    recorded = b"".join(p.read_bytes() for p in (project.root / ".roar").glob("roar.db*"))
    assert b"ROAR_FRAGMENTS_SECRET" not in recorded

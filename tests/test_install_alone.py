"""Install only what you need: in clean environments, from wheels, with no index to ask."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import urllib.request
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import s3_servers

from roar_core.testing.needs import leave_out

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("[!_]*/pyproject.toml"))
pytestmark = pytest.mark.slow


def name_of(folder: Path) -> str:
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["name"])


@attrs.frozen
class Environment:
    """A virtual environment that holds what was installed into it, and a project to work in."""

    folder: Path
    project: Path
    wheels: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, *what: str | Path) -> None:
        self._pip("install", "-q", "--no-index", "--find-links", str(self.wheels), *map(str, what))

    def uninstall(self, *what: str) -> None:
        self._pip("uninstall", "-q", "-y", *what)

    def _pip(self, *arguments: str) -> None:
        # --isolated: a setting of this machine may name further places to look.
        pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check")
        command = (*pip, "--python", str(self.python), *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def roar(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("ROAR_", "PYTHON", "XDG_"))
        }
        return subprocess.run(
            [self.python, "-m", "roar_core", *arguments],
            cwd=self.project,
            env=kept | {"HOME": str(self.project.parent), "ROAR_NO_TELEMETRY": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        done = self.roar(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def core_alone(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment of roar-core and what it depends on. Shared: leave it as it is."""
    folder = tmp_path_factory.mktemp("core")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (folder / "project" / ".roar").mkdir(parents=True)
    environment = Environment(folder / "venv", folder / "project", wheelhouse)
    environment.install("roar-core")
    return environment


@pytest.fixture
def environment(core_alone: Environment, tmp_path: Path) -> Environment:
    """A copy of it to install into."""
    # By hard links, which takes a tenth of a second: pip replaces files and rewrites none.
    folder = tmp_path / "venv"
    subprocess.run(["cp", "-a", "--link", str(core_alone.folder), str(folder)], check=True)
    (tmp_path / "project" / ".roar").mkdir(parents=True)
    return Environment(folder, tmp_path / "project", core_alone.wheels)


def test_the_core_alone_says_how_to_get_a_tracer(core_alone: Environment) -> None:
    done = core_alone.roar("run", "touch", "started.txt")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith("roar: no tracer is installed")
    assert done.stderr.endswith("pip install ./plugins/tracer_preload\n")
    assert done.stderr.count("\n") == 1
    assert not (core_alone.project / "started.txt").exists()


@pytest.mark.parametrize(
    "command",
    ["init", "plugins", "plugins check", "tracer", "config list", "plugins new exporter mine"],
)
def test_the_core_alone_answers_what_needs_no_tracer(core_alone: Environment, command: str) -> None:
    done = core_alone.roar(*command.split())
    assert done.returncode == 0, done.stderr


def records_a_copy(environment: Environment) -> None:
    """A tracer: what `cp` read and wrote, and no more, without a word of configuration."""
    (environment.project / "a.txt").write_text("hello")
    done = environment.roar("run", "--", "cp", "a.txt", "b.txt")
    assert done.returncode == 0, done.stderr
    job = environment.json("show")
    edges = {side: [edge["relative"] for edge in job[side]] for side in ("inputs", "outputs")}
    assert edges == {"inputs": ["a.txt"], "outputs": ["b.txt"]}


def records_a_copy_where_bpf_is_to_be_had(environment: Environment) -> None:
    checked = environment.roar("tracer", "check", "ebpf")
    if checked.returncode != 0:
        leave_out(checked.stdout)
    records_a_copy(environment)


def names_a_tracker_run(environment: Environment) -> None:
    """Analyzers: an offline run of W&B is named, and its files stay out of lineage."""
    environment.install("roar-tracer-preload")  # a run needs one
    run = "wandb/offline-run-20260105_100000-k3x9a1b2"
    log = f"mkdir -p {run}; echo 1 > {run}/run-k3x9a1b2.wandb; echo 2 > model.bin"
    done = environment.roar("run", "--", "sh", "-c", log)
    assert done.returncode == 0, done.stderr
    job = environment.json("show")
    assert [edge["relative"] for edge in job["outputs"]] == ["model.bin"]
    assert [(t["tracker"], t["run_id"]) for t in job["trackers"]] == [("wandb", "k3x9a1b2")]


def adds_a_screen(environment: Environment) -> None:
    """A command: listed, explained, and where there is no terminal it says so in a sentence."""
    listed = environment.roar("--help").stdout
    assert re.search(r"^Commands of plugins:\n  tui$", listed, re.M)
    assert "Usage: roar tui" in environment.roar("tui", "--help").stdout
    done = environment.roar("tui")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "roar: roar tui needs a terminal; for the same as text use: roar dag\n"
    # What the screen is made of was installed with it.
    imported = (environment.python, "-c", "import roar_tui.app")
    subprocess.run(imported, cwd=environment.project, check=True)


def serves_a_registry(environment: Environment) -> None:
    """A command: an empty folder becomes a registry that answers, until it is told to stop."""
    assert re.search(r"^Commands of plugins:\n  glaas$", environment.roar("--help").stdout, re.M)
    data = environment.project / "data"
    server = subprocess.Popen(
        (environment.python, "-m", "roar_glaas.cli", "serve", "--port", "0", "--data", data),
        cwd=environment.project,
        env={**os.environ, "GLAAS_LOG_REQUESTS": "off"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    url = server.stderr.readline().rpartition(" at ")[2].strip()
    with urllib.request.urlopen(f"{url}/api/v1/health", timeout=60) as answer:
        assert json.load(answer)["status"] == "ok"
    server.terminate()
    assert server.communicate(timeout=60)[1] == ""


def moves_a_file_to_s3(environment: Environment) -> None:
    """A transfer: a file goes to a real server and comes back, and nothing else is needed."""
    (environment.project / "a.txt").write_text("hello")
    with s3_servers.rclone(environment.project) as server:
        (environment.project / "buckets" / "first").mkdir()
        moved = subprocess.run(
            (environment.python, "-c", MOVE, "s3://first/a b.txt"),
            cwd=environment.project,
            env={**os.environ, **server.variables},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (moved.returncode, moved.stdout) == (0, "hello\n"), moved.stderr


# What roar does with a transfer: put a file at the URL in argv, and get it again.
MOVE = """
import sys
from pathlib import Path
from roar_core.hookspecs import Upload
from roar_core.plugins import offered

url = sys.argv[1]
[transfer] = [offer.value for offer in offered("roar.transfers", Path(".")).offers
              if url.partition("://")[0] in offer.value.schemes]
Path("state").mkdir()
transfer.put(Upload(Path("a.txt"), url, 5, Path("state"), False, lambda count: None))
[found] = transfer.list(url)
print(b"".join(transfer.read(found, 0, None)).decode())
"""


def says_which_extra_a_scheme_needs(environment: Environment) -> None:
    """Transfers whose libraries are extras: without them, a sentence with the line to type."""
    (environment.project / "a.txt").write_text("hello")
    for url, extra in (("gs://bucket/a", "gs"), ("hf://datasets/owner/repo/a", "hf")):
        moved = subprocess.run(
            (environment.python, "-c", MOVE, url),
            cwd=environment.project,
            capture_output=True,
            text=True,
            check=False,
        )
        (environment.project / "state").rmdir()
        said = moved.stderr.splitlines()[-1]
        assert said.endswith(f"pip install './plugins/transfers[{extra}]'")


def prepares_a_workflow(environment: Environment) -> None:
    """A command: what `osmo` rendered comes out with each task under the launcher."""
    text = "workflow:\n  name: w\n  tasks:\n  - {name: t, image: i, command: [sh, -c, ls]}\n"
    (environment.project / "w.yaml").write_text(text)
    osmo = environment.project / "osmo"  # it renders what needs no rendering
    osmo.write_text('#!/bin/sh\ncat "$3"\n')
    osmo.chmod(0o755)
    done = subprocess.run(
        (environment.python, "-m", "roar_core", "osmo", "prepare", "w.yaml"),
        cwd=environment.project,
        env={**os.environ, "PATH": f"{environment.project}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "t: comes back by logs\n")
    assert "- /roar-osmo/launch.sh" in done.stdout


def knows_its_settings(environment: Environment) -> None:
    """Ray itself is the user's program's, so alone it has nothing to do."""
    shown = environment.roar("config", "get", "ray.capture")
    assert (shown.returncode, shown.stdout) == (0, "auto\n"), shown.stderr


def tells_ranks_apart(environment: Environment) -> None:
    environment.install("roar-tracer-preload")
    told = "RANK=0 LOCAL_WORLD_SIZE=1 TORCHELASTIC_RESTART_COUNT=0"
    wait = "until grep -q . .roar/runs/*/backend-torchrun/processes; do sleep 0.01; done"
    launcher = environment.project / "torchrun"
    launcher.write_text(f"#!/bin/sh\n{told} sh -c '{wait}; echo > out'\n")
    launcher.chmod(0o755)
    done = environment.roar("run", "./torchrun")
    assert done.returncode == 0, done.stderr
    [group] = environment.json("show")["tasks"]
    assert [task["task"]["task"] for task in group["jobs"]] == ["rank 0"]


# Folder below plugins/ -> its own small, real proof.
PROOFS: dict[str, Callable[[Environment], None]] = {
    "analyzer_trackers": names_a_tracker_run,
    "glaas": serves_a_registry,
    "osmo": prepares_a_workflow,
    "proxy_s3": moves_a_file_to_s3,
    "ray": knows_its_settings,
    "torchrun": tells_ranks_apart,
    "tracer_preload": records_a_copy,
    "tracer_ptrace": records_a_copy,
    "tracer_ebpf": records_a_copy_where_bpf_is_to_be_had,
    "transfers": says_which_extra_a_scheme_needs,
    "tui": adds_a_screen,
}


def test_every_plugin_has_a_proof() -> None:
    without = [folder.name for folder in PLUGINS if folder.name not in PROOFS]
    assert not without, "write what each does when it is installed alone, in PROOFS"


@pytest.mark.needs("cc")
@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_is_installed_alone_with_the_core_and_works(
    folder: Path, environment: Environment
) -> None:
    environment.install(name_of(folder))
    plugins = environment.json("plugins")["plugins"]
    assert {plugin["distribution"] for plugin in plugins} == {"roar-core", name_of(folder)}
    checked = environment.roar("plugins", "check")
    assert checked.returncode == 0, checked.stdout
    PROOFS[folder.name](environment)


@pytest.mark.needs("cc")
def test_a_plugin_comes_and_goes_without_configuration(environment: Environment) -> None:
    environment.install("roar-tracer-preload", "roar-tracer-ptrace")
    assert environment.roar("run", "true").returncode == 0
    assert environment.json("show")["tracer"] == "preload"
    environment.uninstall("roar-tracer-preload")
    assert environment.roar("run", "true").returncode == 0
    assert environment.json("show")["tracer"] == "ptrace"
    environment.uninstall("roar-tracer-ptrace")
    assert environment.roar("run", "true").returncode == 125
    assert environment.json("show")["tracer"] == "ptrace"  # what is recorded stays readable


@pytest.mark.needs("cc")
def test_the_analyzer_of_the_page_is_built_installed_and_seen_at_work(
    environment: Environment, tmp_path: Path
) -> None:
    package = tmp_path / "roar-analyzer-logbook"
    for name, text in files_of_the_page().items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    # What the page does not show, since there is nothing to see.
    (package / "README.md").write_text("# Logbook\n")
    build(package, tmp_path / "dist")
    environment.install("roar-tracer-preload", *(tmp_path / "dist").glob("*.whl"))
    (environment.project / "data.csv").write_text("1,2\n")
    log = "cp data.csv model.bin; mkdir -p logbook/run-7f3a; echo 0.1 > logbook/run-7f3a/loss"
    done = environment.roar("run", "--", "sh", "-c", log)
    assert done.returncode == 0, done.stderr
    job = environment.json("show")
    edges = {side: [edge["relative"] for edge in job[side]] for side in ("inputs", "outputs")}
    assert edges == {"inputs": ["data.csv"], "outputs": ["model.bin"]}
    assert [(t["tracker"], t["run_id"]) for t in job["trackers"]] == [("logbook", "7f3a")]
    assert re.search(r"Logbook.*7f3a", environment.roar("show").stdout)


def files_of_the_page() -> dict[str, str]:
    """File name -> text of every file that docs/plugins.md shows of the worked example."""
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^## An analyzer from nothing\n(.*?)^## ", page, re.M | re.S)
    shown = re.findall(r"^`([\w/.]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", example, re.M | re.S)
    assert [name for name, _ in shown] == [
        "src/roar_analyzer_logbook/__init__.py",
        "pyproject.toml",
        "tests/test_logbook.py",
    ]
    return dict(shown)


def build(package: Path, target: Path) -> None:
    """A wheel of `package`, by the build back-end that the tests' environment has."""
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "wheel", "-q")
    where = ("--no-deps", "--no-index", "--no-build-isolation", "-w", str(target), str(package))
    done = subprocess.run((*pip, *where), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

"""What docs/telemetry.md promises of switching it off, of silence by itself, and of faults."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roar_core.telemetry import suppression
from roar_core.testing.projects import InstalledPlugins

if TYPE_CHECKING:
    from tests.telemetry.conftest import Machine

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/telemetry.md").read_text(encoding="utf-8")

CLEARING_BACKEND = """
from roar_core.hookspecs import BackendPlan, Match, hookimpl
from roar_core.model.fragment import TaskCoverage

class Clearing:
    name, priority, collect_every_s = "clearing", 0, 0.0
    def detect(self, argv, environ, cwd):
        return Match(100)
    def plan(self, run, environ):
        return BackendPlan(run.command, {"PATH": environ["PATH"], "PLANNED": "1"})
    def adopt(self, run, environ):
        return {}
    def claims(self, run, path):
        return False
    def collect(self, run):
        return []
    def coverage(self, run):
        return TaskCoverage()
    def finalise(self, run):
        pass

@hookimpl
def roar_backends(config):
    return [Clearing()]
"""


# --- opt-out controls, auto-suppression ----------------------------------------------------------


@pytest.mark.parametrize("value", ["1", "true", "yes"])
@pytest.mark.parametrize("variable", ["DO_NOT_TRACK", "ROAR_NO_TELEMETRY"])
def test_a_variable_in_the_shell_turns_it_off(machine: Machine, variable: str, value: str) -> None:
    machine.ok("init", **{variable: value})
    assert not machine.folder.exists()
    assert json.loads(machine.ok("telemetry", "--json", **{variable: value}))["enabled"] is False


def test_a_variable_that_says_no_does_not(machine: Machine) -> None:
    machine.ok("init", DO_NOT_TRACK="0", ROAR_NO_TELEMETRY="")
    assert machine.triggers() == ["first_seen_for_install_id", "init"]


@pytest.mark.parametrize("variable", [*suppression.CI, *suppression.PYTEST, "RAY_JOB_ID"])
def test_it_is_silent_in_ci_in_tests_and_in_workers(machine: Machine, variable: str) -> None:
    assert suppression.silenced_by({variable: "1"}) == variable
    assert f"`{variable}`" in PAGE
    machine.ok("status", **{variable: "1"})
    assert not machine.folder.exists()


def test_it_is_silent_in_osmo_tasks(machine: Machine) -> None:
    machine.ok("status", OSMO_WORKFLOW_ID="w")
    assert not machine.folder.exists()


@pytest.mark.parametrize("tracer", ["preload", "ptrace"])
def test_an_instrumented_job_does_not_count_itself(machine: Machine, tracer: str) -> None:
    machine.ok("run", "--tracer", tracer, "sh", "-c", "roar status && roar init")
    assert machine.stats["subcommand_counts"] == {"run": 1, "run_success": 1}


def test_steps_that_are_run_again_are_no_runs_of_yours(machine: Machine) -> None:
    machine.ok("run", "true")
    machine.ok("rerun", "@1")
    assert machine.stats["subcommand_counts"] == {"run": 1, "run_success": 1}


def test_workers_are_silent_whatever_their_backend_makes_of_the_environment(
    machine: Machine, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    InstalledPlugins(site)("acme", CLEARING_BACKEND, group="roar.backends")
    machine.ok("run", "sh", "-c", "env > seen", PYTHONPATH=str(site))
    seen = (machine.project / "seen").read_text().splitlines()
    assert "PLANNED=1" in seen
    assert "ROAR_NO_TELEMETRY=1" in seen


def test_disable_wipes_the_queue_and_holds_across_upgrades(machine: Machine) -> None:
    machine.ok("init")
    machine.ok("telemetry", "--disable")
    assert machine.queued() == []
    counted = machine.stats
    (machine.folder / "stats.json").write_text(json.dumps(counted | {"versions": ["0.0.1"]}))
    machine.ok("run", "true")
    machine.ok("reset")
    assert machine.queued() == []
    assert machine.stats["subcommand_counts"] == counted["subcommand_counts"]
    machine.ok("telemetry", "--enable")
    machine.ok("reset")
    assert machine.triggers() == ["first_seen_for_version", "reset"]


def test_an_empty_endpoint_keeps_stats_and_queues_nothing(machine: Machine) -> None:
    machine.ok("telemetry", "--endpoint", "")
    machine.ok("init")
    assert machine.queued() == []
    assert machine.stats["subcommand_counts"] == {"init": 1}


def test_a_project_can_neither_turn_it_on_nor_send_it_elsewhere(machine: Machine) -> None:
    machine.ok("telemetry", "--disable")
    (machine.project / "roar.toml").write_text("[telemetry]\nenabled = true\n")
    refused = machine.roar("run", "true")
    assert refused.returncode == 125
    assert "roar.toml: telemetry.enabled is for you alone to set" in refused.stderr
    assert (
        "roar telemetry --disable"
        in machine.roar("config", "set", "telemetry.endpoint", "https://example.org").stderr
    )


def test_variables_that_a_project_gives_to_its_runs_move_nothing(
    machine: Machine, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    variables = f'XDG_CACHE_HOME = "{there}"\nXDG_CONFIG_HOME = "{there}"\nHOME = "{there}"\n'
    (machine.project / "roar.toml").write_text(f"[environment.set]\n{variables}")
    unset = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    kept = {name: value for name, value in machine.environ.items() if name not in unset}
    user = type(machine)(machine.home, machine.project, kept)
    user.ok("run", "true")
    assert not (there / "roar" / "telemetry").exists()
    assert (machine.home / ".cache/roar/telemetry/stats.json").is_file()


def test_a_configuration_that_cannot_be_read_means_off(machine: Machine) -> None:
    file = Path(machine.environ["XDG_CONFIG_HOME"], "roar", "global.toml")
    file.parent.mkdir(parents=True)
    for content in ("[telemetry\n", "telemetry = 1\n", "[telemetry]\nenabled = 'false'\n"):
        file.write_text(content)
        assert json.loads(machine.ok("telemetry", "--json"))["enabled"] is False, content


# --- what can go wrong ---------------------------------------------------------------------------


def test_concurrent_commands_neither_lose_nor_double_a_count(machine: Machine) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: machine.ok("log"), range(24)))
    assert machine.stats["subcommand_counts"] == {"log": 24}
    assert machine.triggers() == ["first_seen_for_install_id"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"install_id": 3}', b"\xff\xff", b"null"])
def test_damaged_stats_are_set_aside(machine: Machine, content: bytes) -> None:
    machine.ok("status")
    (machine.folder / "stats.json").write_bytes(content)
    assert "Traceback" not in machine.roar("status").stderr
    assert machine.stats["subcommand_counts"] == {"status": 1}
    assert (machine.folder / "stats.damaged").read_bytes() == content


@pytest.mark.parametrize("name", ["stats.json", "settings.json", "backoff.json"])
def test_a_pipe_in_a_files_place_holds_nobody_up(machine: Machine, name: str) -> None:
    machine.ok("telemetry", "--endpoint", "https://telemetry.example")
    machine.ok("init")
    (machine.folder / name).unlink(missing_ok=True)
    os.mkfifo(machine.folder / name)
    machine.ok("init")


@pytest.mark.needs("root")
@pytest.mark.parametrize("place", ["config/roar/global.toml", None])
def test_nothing_is_left_in_another_users_home(machine: Machine, place: str | None) -> None:
    if place is not None:
        machine.ok("telemetry", "--endpoint", "https://telemetry.example")
    subprocess.run(["rm", "-rf", machine.home / "cache"], check=True)
    os.chown(machine.home, 65534, 65534)
    machine.ok("init")
    assert not (machine.home / "cache/roar/telemetry").exists()


def test_a_full_queue_takes_no_new_event_and_gives_none_up(machine: Machine) -> None:
    machine.ok("status")
    queue = machine.folder / "queue"
    for number in range(63):
        (queue / f"{number}.json").write_text("{}")
    machine.ok("init")
    assert len(list(queue.iterdir())) == 64
    assert machine.stats["subcommand_counts"] == {"init": 1, "status": 1}


def test_a_home_that_cannot_be_written_is_no_matter(machine: Machine) -> None:
    (machine.home / "cache").write_text("a file where the folder would be")
    result = machine.roar("run", "sh", "-c", "exit 7")
    assert result.returncode == 7
    assert "telemetry" not in result.stderr

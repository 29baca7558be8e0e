"""Analyzers at work in real runs: what they claim stays out, what they name is recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

LOGBOOK = """
from roar_core.hookspecs import ConfigKey, ConfigSection, hookimpl
from roar_core.model.tracker import TrackerReference

class Logbook:
    name, title, patterns = "logbook", "The Logbook", ("logbook/", "~/.logbook/")
    def __init__(self, config):
        self.config = config
    def references(self, run):
        host = run.environ.get("LOGBOOK_HOST") or None
        for path in sorted(run.written):
            if path.name == "id.txt":
                id = path.parent.name
                url = f"{host}/{id}" if host else None
                yield TrackerReference("logbook", id, url=url, host=host)
        if not run.written and "LOGBOOK_SERVER" in run.environ:
            yield TrackerReference("logbook", host=run.environ["LOGBOOK_SERVER"])

@hookimpl
def roar_analyzers(config):
    return [Logbook(config)]

@hookimpl
def roar_config_sections():
    return [ConfigSection("logbook", (ConfigKey("depth", 3, "How deep."),))]
"""
LOG = (
    "mkdir -p logbook/r1 my-logbook-notes ~/.logbook; echo 1 > logbook/r1/id.txt;"
    " echo 2 > my-logbook-notes/data.csv; echo 3 > ~/.logbook/cache; cat data.csv > out.txt"
)


@pytest.fixture
def logging_project(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> ProjectUnderTest:
    install_plugin("logbook", LOGBOOK, group="roar.analyzers")
    project.write("data.csv", "1")
    return project


def test_a_tool_s_files_stay_out_and_its_run_is_named(logging_project: ProjectUnderTest) -> None:
    result = logging_project.run(
        "sh", "-c", LOG, environ={"LOGBOOK_HOST": "https://log.example.org"}
    )
    assert result.reads == {"data.csv"}
    assert result.writes == {"out.txt", "my-logbook-notes/data.csv"}
    assert result.job is not None
    assert result.job["trackers"] == [
        {
            "tracker": "logbook",
            "run_id": "r1",
            "project": None,
            "entity": None,
            "name": None,
            "url": "https://log.example.org/r1",
            "host": "https://log.example.org",
            "title": "The Logbook",
        }
    ]
    shown = logging_project.roar("show").stdout
    assert "View in The Logbook: https://log.example.org/r1\n" in shown


def test_what_is_left_out_is_counted_and_listed(logging_project: ProjectUnderTest) -> None:
    result = logging_project.roar("run", "-vv", "--", "sh", "-c", LOG)
    assert "filtered: 2 files of class claimed" in result.stderr
    assert "logbook/r1/id.txt" in result.stderr


def test_a_file_the_command_line_names_is_an_input_whoever_wrote_it(
    logging_project: ProjectUnderTest,
) -> None:
    logging_project.run("sh", "-c", LOG)
    result = logging_project.run("cp", "logbook/r1/id.txt", "copy.txt")
    assert (result.reads, result.writes) == ({"logbook/r1/id.txt"}, {"copy.txt"})
    assert result.job is not None
    assert result.job["trackers"] == []


def test_all_that_a_job_did_lies_between_its_start_and_its_end(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    """Databases that several jobs share tell by the time which entries are a job's."""
    window = LOGBOOK.replace("path.parent.name", 'f"{run.started_at_ns} {run.ended_at_ns}"')
    install_plugin("logbook", window, group="roar.analyzers")
    tell = "import os, time; first = time.time_ns(); os.mkdir('logbook')\n"
    tell += "open('logbook/id.txt', 'w').close()\n"
    # To the very last: an interpreter takes longer to end than roar to start it.
    tell += "print(first, time.time_ns(), flush=True); os._exit(0)"
    result = project.run(sys.executable, "-c", tell)
    first, last = map(int, result.stdout.split())
    assert result.job is not None
    started, ended = map(int, result.job["trackers"][0]["run_id"].split())
    assert started <= first <= last <= ended


@pytest.mark.parametrize(
    "setting",
    [
        "[analyzers]\nexperiment_trackers = false",
        "[analyzers.experiment_trackers]\nlogbook = false",
        "[filters]\nclaimed = false",
    ],
)
def test_the_settings_turn_it_off(logging_project: ProjectUnderTest, setting: str) -> None:
    logging_project.write("roar.toml", setting + "\n")
    result = logging_project.run("sh", "-c", LOG)
    assert {"logbook/r1/id.txt", "out.txt"} <= result.writes
    assert result.job is not None
    # Recording a tool's files as artifacts does not make its run unknown.
    assert bool(result.job["trackers"]) == ("claimed" in setting)


def test_the_switch_of_one_analyzer_is_a_setting(logging_project: ProjectUnderTest) -> None:
    name = "analyzers.experiment_trackers.logbook"
    assert logging_project.roar("config", "get", name).stdout == "true\n"
    assert logging_project.roar("config", "set", name, "false").exit_code == 0
    assert logging_project.roar("config", "get", name).stdout == "false\n"
    listed = {s["name"]: s for s in logging_project.json("config", "list")["settings"]}
    assert listed[name]["value"] is False
    assert listed[name]["origin"] == ".roar/config.toml"
    assert logging_project.run("sh", "-c", LOG).job["trackers"] == []  # type: ignore[index]


def test_a_misspelled_switch_is_told_and_one_of_an_absent_plugin_is_not_wrong(
    logging_project: ProjectUnderTest,
) -> None:
    logging_project.write("roar.toml", "[analyzers.experiment_trackers]\nlogbok = false\n")
    listed = logging_project.roar("config", "list")
    assert listed.exit_code == 1
    assert "did you mean analyzers.experiment_trackers.logbook?" in listed.stderr
    run = logging_project.run("sh", "-c", LOG)
    assert run.exit_code == 0
    assert "did you mean analyzers.experiment_trackers.logbook?" in run.stderr
    logging_project.write("roar.toml", "[analyzers.experiment_trackers]\nguild = false\n")
    listed = logging_project.roar("config", "list")
    assert listed.exit_code == 0
    assert "analyzers.experiment_trackers.guild belongs to no plugin in use" in listed.stderr


def test_an_environment_variable_switches_one_analyzer_off(
    logging_project: ProjectUnderTest,
) -> None:
    off = {"ROAR_ANALYZERS__EXPERIMENT_TRACKERS__LOGBOOK": "false"}
    result = logging_project.run("sh", "-c", LOG, environ=off)
    assert "logbook/r1/id.txt" in result.writes
    assert result.job is not None
    assert result.job["trackers"] == []


def test_a_server_without_a_run_is_a_reference(logging_project: ProjectUnderTest) -> None:
    server = {"LOGBOOK_SERVER": "https://log.example.org"}
    result = logging_project.run("true", environ=server)
    assert result.job is not None
    [reference] = result.job["trackers"]
    assert (reference["run_id"], reference["host"]) == (None, "https://log.example.org")
    assert "The Logbook: at https://log.example.org" in logging_project.roar("show").stdout


@pytest.mark.parametrize(
    "fault",
    [
        "raise OSError('no luck')",
        "return [5]",
        "return [TrackerReference(7)]",
        "raise SystemExit(3)",
    ],
)
def test_a_failing_analyzer_costs_its_references_and_is_noted(
    project: ProjectUnderTest, install_plugin: InstalledPlugins, fault: str
) -> None:
    code = LOGBOOK.replace("host = run.environ", f"{fault}\n        host = run.environ")
    code = code.replace("yield", "pass #")  # a generator would return nothing
    install_plugin("logbook", code, group="roar.analyzers")
    result = project.run("sh", "-c", "mkdir logbook; echo 1 > logbook/x; exit 7")
    assert result.exit_code == 7
    assert result.stderr.count("plugin logbook failed while naming tracker runs") == 1
    assert result.job is not None
    assert [r["code"] for r in result.job["coverage"]["reasons"]] == ["analyzer"]
    assert result.job["outputs"] == []


def test_a_recovered_job_knows_its_tracker_run_but_no_variable(
    logging_project: ProjectUnderTest,
) -> None:
    """Who recovers may have other variables: another server's address would be a wrong one."""
    code = "import os, signal, subprocess, sys, time\n"
    code += f"subprocess.run(['sh', '-c', {LOG!r}], check=True)\n"
    code += "os.kill(os.getppid(), signal.SIGKILL)\n"
    environ = logging_project.environment({"LOGBOOK_HOST": "https://log.example.org"})
    command = [sys.executable, "-m", "roar_core", "run", "--", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=logging_project.root, env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    shown = logging_project.json("show")
    assert shown["state"] == "interrupted"
    assert [(r["run_id"], r["url"]) for r in shown["trackers"]] == [("r1", None)]
    assert {os.path.basename(edge["path"]) for edge in shown["outputs"]} >= {"out.txt"}

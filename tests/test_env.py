"""`roar env`: variables reach every recorded command and its record; secrets the command only."""

from __future__ import annotations

import json

import pytest

from roar_core.testing.projects import ProjectUnderTest

SECRETS = {
    "API_TOKEN": "hush-1",
    "AWS_SECRET_ACCESS_KEY": "hush-2",
    "DB_PASSWORD": "hush-3",
    "DATABASE": "postgres://me:hush-4@host/db",
}


def test_a_variable_reaches_the_command_and_the_record(project: ProjectUnderTest) -> None:
    assert project.roar("env", "set", "SEED=1", "NAME=two words = \"x\" 'y'").exit_code == 0
    done = project.run("sh", "-c", 'echo "$SEED,$NAME"')
    assert done.stdout == "1,two words = \"x\" 'y'\n"
    assert done.job is not None
    variables = done.job["environment"]["variables"]
    assert variables == {"SEED": "1", "NAME": "two words = \"x\" 'y'"}
    assert project.roar("build", "sh", "-c", "echo $SEED").stdout == "1\n"
    assert project.roar("run", "@1").stdout == done.stdout


def test_get_list_and_unset(project: ProjectUnderTest) -> None:
    project.roar("env", "set", "SEED", "1")
    assert project.roar("env", "get", "SEED").stdout == "1\n"
    assert project.roar("env", "list").stdout == "SEED=1\n"
    assert "SEED" in project.roar("config", "list").stdout
    assert project.roar("env", "unset", "SEED").exit_code == 0
    assert project.roar("env", "get", "SEED").exit_code == 1
    assert project.roar("env", "unset", "SEED").exit_code == 1
    assert project.run("sh", "-c", "echo ${SEED-none}").stdout == "none\n"


def test_secrets_are_given_but_neither_shown_nor_recorded(project: ProjectUnderTest) -> None:
    project.roar("env", "set", *(f"{name}={value}" for name, value in SECRETS.items()))
    script = " ".join(f"${name}" for name in SECRETS)
    assert project.run("sh", "-c", f"echo {script}").stdout.split() == list(SECRETS.values())
    shown = [
        project.roar(*words).stdout
        for words in (
            ["show", "--json"],
            ["show", "--all"],
            ["env", "list"],
            ["env", "list", "--json"],
            ["env", "get", "API_TOKEN", "--json"],
            ["config", "list"],
            ["config", "list", "--json"],
            ["config", "get", "environment.set", "--json"],
        )
    ]
    assert "hush" not in "".join(shown)
    assert all(name in shown[0] for name in SECRETS)
    assert b"hush" not in (project.root / ".roar/roar.db").read_bytes()
    wal = project.root / ".roar/roar.db-wal"
    assert not wal.exists() or b"hush" not in wal.read_bytes()
    assert project.roar("env", "get", "API_TOKEN").stdout == "hush-1\n"
    listed = json.loads(project.roar("env", "list", "--json", "--show-secrets").stdout)
    assert listed["variables"] == SECRETS
    assert (project.root / ".roar/config.toml").stat().st_mode & 0o077 == 0


def test_the_shell_is_nearer_than_the_project_and_it_is_told(project: ProjectUnderTest) -> None:
    project.roar("env", "set", "SEED=1")
    done = project.run("sh", "-c", "echo $SEED", environ={"SEED": "2"})
    assert done.stdout == "2\n"
    assert "SEED=2 of your shell is used" in done.stderr
    assert done.job is not None
    assert done.job["environment"]["variables"] == {"SEED": "2"}


def test_names_of_several_files_add_up(project: ProjectUnderTest) -> None:
    project.write("roar.toml", '[environment.set]\nSHARED = "a"\nSEED = "1"\n')
    project.roar("env", "set", "SEED=2")
    assert project.run("sh", "-c", "echo $SHARED $SEED").stdout == "a 2\n"
    done = project.roar("env", "unset", "SEED")
    assert "given all the same" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["1X=1"], ["A.B=1"], ["A"], ["=1"], ["ROAR_RUN__TRACER=x"], ["LD_PRELOAD=x"], ["A\n=1"]],
)
def test_what_is_no_variable_is_refused(project: ProjectUnderTest, words: list[str]) -> None:
    done = project.roar("env", "set", *words)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert project.json("env", "list")["variables"] == {}


def test_a_value_that_is_no_text_is_explained(project: ProjectUnderTest) -> None:
    project.write("roar.toml", "[environment.set]\nSEED = 1\n")
    done = project.roar("run", "true")
    assert done.exit_code == 125
    assert "environment.set" in done.stderr

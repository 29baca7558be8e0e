"""`roar log` finds jobs by what they touched, what they ran, when, how they ended, and by words."""

from __future__ import annotations

import json
import os
import time

import pytest

from roar_core.testing.projects import ProjectUnderTest


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> ProjectUnderTest:
    from roar_core.testing.projects import InstalledPlugins

    folder = tmp_path_factory.mktemp("log")
    for name in ("project/.roar", "home", "site"):
        (folder / name).mkdir(parents=True)
    project = ProjectUnderTest(
        folder / "project", folder / "home", InstalledPlugins(folder / "site")
    )
    project.write("data/in.csv", "1")
    project.write(os.fsdecode(b"data/bad\xff"), "2")
    for name in ("a", "b"):
        project.write(f"table/{name}.parquet", name)
    project.roar("run", "-n", "Prepare DÄTA", "sh", "-c", "cat data/in.csv > clean.csv")
    project.roar("run", "sh", "-c", "cat clean.csv > 'two words.txt'; exit 3")
    project.roar("run", "cat", os.fsdecode(b"data/bad\xff"))
    project.roar("run", "sh", "-c", "cat table/*.parquet > all.bin")
    project.roar("label", "set", "@3", "team=Vision")
    return project


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ([], ["@4", "@3", "@2", "@1"]),
        (["--failed"], ["@2"]),
        (["--path", "clean.csv"], ["@2", "@1"]),
        (["--path", "data"], ["@3", "@1"]),
        (["--path", "data/"], ["@3", "@1"]),
        (["--path", os.fsdecode(b"data/bad\xff")], ["@3"]),
        (["--path", "table/b.parquet"], ["@4"]),
        (["--path", "dat"], []),
        (["--path", "."], ["@4", "@3", "@2", "@1"]),
        (["--path", "data", "--path", "clean.csv"], ["@1"]),
        (["--command", "clean.csv > 'two"], ["@2"]),
        (["--command", "SH -c cat"], ["@4", "@2", "@1"]),
        (["däta"], ["@1"]),
        (["vision"], ["@3"]),
        (["cat", "words"], ["@2"]),
        (["team=vision"], ["@3"]),
        (["%"], []),
        (["--since", "1h"], ["@4", "@3", "@2", "@1"]),
        (["--since", "yesterday", "--failed"], ["@2"]),
        (["--since", "2999-01-01"], []),
        (["-n", "1", "cat"], ["@4"]),
    ],
)
def test_what_is_asked_is_found(
    recorded: ProjectUnderTest, words: list[str], steps: list[str]
) -> None:
    document = recorded.json("log", *words)
    assert [job["step"] for job in document["jobs"]] == steps
    shown = recorded.roar("log", *words)
    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) in (len(steps), len(steps) + 1)


def test_a_time_without_an_offset_is_the_readers_own(recorded: ProjectUnderTest) -> None:
    started = recorded.json("show", "@1")["started_at"][:19]
    east = {"TZ": "UTC-5"}  # POSIX: five hours ahead
    assert recorded.json("log", "--since", f"{started}Z")["total"] == 4
    done = recorded.roar("log", "--since", started, "--json", environ={"TZ": "UTC"})
    assert json.loads(done.stdout)["total"] == 4
    later = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 4 * 3600))
    done = recorded.roar("log", "--since", later, "--json", environ=east)
    assert json.loads(done.stdout)["total"] == 4


@pytest.mark.parametrize("when", ["soon", "", "99999999999h", "2026-13-01", "1e400"])
def test_what_is_no_time_is_explained(recorded: ProjectUnderTest, when: str) -> None:
    done = recorded.roar("log", "--since", when)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)

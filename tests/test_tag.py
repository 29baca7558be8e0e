"""`roar tag`: what is made of tagged bytes has their tags, unless a run or a user stops them."""

from __future__ import annotations

import json
import os

import pytest

from roar_core.testing.projects import ProjectUnderTest


@pytest.fixture
def chain(project: ProjectUnderTest) -> ProjectUnderTest:
    """raw -> a (@1) -> b (@2), and other -> c together with b (@3); all bytes differ."""
    project.write("raw", "raw\n")
    project.write("other", "other\n")
    project.run("sh", "-c", "sed s/$/a/ raw > a")
    project.run("sh", "-c", "sed s/$/b/ a > b")
    project.run("sh", "-c", "cat b other > c")
    return project


def tags(project: ProjectUnderTest, ref: str) -> set[str]:
    return {f"{t['kind']}={t['value']}" for t in project.json("tag", "show", ref)["tags"]}


def test_outputs_inherit_the_union_of_their_inputs_tags(chain: ProjectUnderTest) -> None:
    chain.roar("tag", "add", "raw", "contains_pii", "license=mit")
    chain.roar("tag", "add", "other", "license=gpl", "jurisdiction=EU")
    assert tags(chain, "b") == {"contains_pii=true", "license=mit"}
    everything = {"contains_pii=true", "license=mit", "license=gpl", "jurisdiction=EU"}
    assert tags(chain, "c") == tags(chain, "@3") == everything
    assert tags(chain, "raw") == {"contains_pii=true", "license=mit"}


def test_a_tag_taken_off_is_gone_from_all_that_follows(chain: ProjectUnderTest) -> None:
    chain.roar("tag", "add", "raw", "contains_pii", "license=mit")
    assert chain.roar("tag", "rm", "a", "contains_pii").exit_code == 0
    assert tags(chain, "a") == tags(chain, "c") == {"license=mit"}
    assert tags(chain, "raw") == {"contains_pii=true", "license=mit"}
    assert chain.roar("tag", "rm", "a", "contains_pii").exit_code == 1
    chain.roar("tag", "rm", "raw", "license")
    assert tags(chain, "c") == set()
    actions = [e["action"] for e in chain.json("tag", "history", "raw")["events"]]
    assert actions == ["remove", "add", "add"]


def test_a_run_stops_tags_and_adds_its_own(chain: ProjectUnderTest) -> None:
    chain.roar("tag", "add", "raw", "contains_pii", "license=mit", "license=bsd")
    done = chain.roar(
        *("run", "--block-tag", "contains_pii", "--block-tag", "license=mit"),
        *("--add-tag", "classification=internal", "sh", "-c", "sed s/a/x/ b > d"),
    )
    assert done.exit_code == 0, done.stderr
    assert tags(chain, "d") == {"license=bsd", "classification=internal"}
    assert chain.roar("run", "@4", "--", "x").exit_code == 0
    assert chain.json("show", "@4")["attempt"] == 2
    assert tags(chain, "@4") == {"license=bsd", "classification=internal"}


def test_inherited_tags_stay_in_their_session_until_bound(chain: ProjectUnderTest) -> None:
    chain.roar("tag", "add", "raw", "contains_pii")
    chain.roar("reset")
    chain.roar("run", "--", "sh", "-c", "sed s/b/d/ b > d")
    chain.roar("run", "--", "sh", "-c", "sed s/b/e/ raw > e")
    assert tags(chain, "d") == set()
    assert tags(chain, "e") == {"contains_pii=true"}
    assert chain.roar("tag", "bind", "b").exit_code == 0
    assert tags(chain, "d") == {"contains_pii=true"}
    assert chain.roar("tag", "bind", "b").exit_code == 1
    chain.roar("tag", "unbind", "b", "contains_pii")
    assert tags(chain, "d") == set()
    assert tags(chain, "b") == {"contains_pii=true"}


def test_why_shows_the_way(chain: ProjectUnderTest) -> None:
    chain.roar("tag", "add", "raw", "contains_pii")
    (way,) = chain.json("tag", "why", "c", "contains_pii")["ways"]
    stations = [(s["job"] and s["job"]["step"], s["path"]) for s in way["stations"]]
    assert stations == [(None, "raw"), ("@1", "raw"), ("@2", "a"), ("@3", "b")]
    words = chain.roar("tag", "why", "c", "contains_pii").stdout
    assert "put on raw" in words
    assert chain.roar("tag", "why", "other", "contains_pii").exit_code == 1


def test_an_undone_job_passes_nothing_on(chain: ProjectUnderTest) -> None:
    chain.roar("tag", "add", "raw", "contains_pii")
    chain.roar("pop", "-y")
    assert tags(chain, "b") == {"contains_pii=true"}
    assert tags(chain, "c") == set()


def test_a_dataset_and_its_members_share_tags(project: ProjectUnderTest) -> None:
    for name in ("one", "two"):
        project.write(f"table/{name}.parquet", name)
    project.run("sh", "-c", "cat table/*.parquet > all; cat all > more")
    project.run("sh", "-c", "sed s/o/p/ table/one.parquet > part")
    project.roar("tag", "add", "table", "contains_pii")
    assert tags(project, "all") == {"contains_pii=true"}
    assert tags(project, "part") == {"contains_pii=true"}


def test_empty_files_are_not_kin(project: ProjectUnderTest) -> None:
    project.write("raw", "raw\n")
    project.write("other", "other\n")
    project.run("sh", "-c", "grep nothing raw > none; true")
    project.run("sh", "-c", ": > empty; cat none other > out; echo 1 >> out")
    project.roar("tag", "add", "raw", "contains_pii")
    assert tags(project, "out") == {"contains_pii=true"}
    project.run("sh", "-c", ": > void")
    project.run("sh", "-c", "cat void other > free; echo 2 >> free")
    assert tags(project, "free") == set()


def test_kinds_are_known_or_ones_own(chain: ProjectUnderTest) -> None:
    done = chain.roar("tag", "add", "raw", "licence=mit")
    assert done.exit_code == 2
    assert "did you mean license?" in done.stderr
    chain.roar("config", "set", "tags.custom_kinds", "owner")
    assert chain.roar("tag", "add", "raw", "owner=team a").exit_code == 0
    assert tags(chain, "c") == {"owner=team a"}
    refused = chain.roar("run", "--add-tag", "colour=red", "sh", "-c", "echo 1 > ran")
    assert refused.exit_code == 125
    assert not (chain.root / "ran").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["add", "raw", "license"],
        ["add", "raw", "license="],
        ["add", "@1", "license=mit"],
        ["show", "session:1"],
        ["add", "nothing", "license=mit"],
        ["add", "raw", os.fsdecode(b"license=\xff")],
    ],
)
def test_what_cannot_be_tagged_is_explained(chain: ProjectUnderTest, words: list[str]) -> None:
    done = chain.roar("tag", *words)
    assert done.exit_code in (1, 2)
    assert len(done.stderr.splitlines()) == 1


def test_two_steps_that_read_each_other_come_to_an_end(project: ProjectUnderTest) -> None:
    project.write("raw", "raw\n")
    project.run("sh", "-c", "cat raw b 2> /dev/null > a; echo a >> a")
    project.run("sh", "-c", "cat a > b; echo b >> b")
    project.roar("run", "@1")
    project.roar("run", "@2")
    project.roar("tag", "add", "raw", "contains_pii")
    assert tags(project, "b") == {"contains_pii=true"}
    assert json.loads(project.roar("tag", "why", "b", "contains_pii", "--json").stdout)["ways"]

"""`roar put`: upload, record, and publish at a real registry, or finish that later."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from between import standing_between

from roar_core.testing.projects import ProjectUnderTest

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@pytest.fixture
def here(project: ProjectUnderTest) -> ProjectUnderTest:
    """A project with a model that a run has made, and the registry not to be had."""
    project.environ["ROAR_REGISTRY__URL"] = "http://127.0.0.1:9"
    project.write("in.txt", "1")
    project.run("sh", "-c", "mkdir out; cat in.txt > out/model.pt; echo log > out/log.txt")
    return project


def documents(project: ProjectUnderTest, *words: str) -> Any:
    result = project.roar("put", *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_put_is_recorded_with_what_it_came_from(here: ProjectUnderTest, tmp_path: Path) -> None:
    put = documents(here, "out", f"{tmp_path}/store", "--no-register", "-m", "first try", "-n", "x")
    assert (put["state"], put["registration"], len(put["files"])) == ("succeeded", None, 2)
    job = here.json("show", "@2")
    assert (job["kind"], job["name"], job["labels"]) == ("put", "x", {"message": "first try"})
    [made] = {edge["producer"] for edge in job["inputs"]}
    assert made == here.json("show", "@1")["uid"]
    assert {edge["path"] for edge in job["outputs"]} == {
        f"{tmp_path}/store/log.txt",
        f"{tmp_path}/store/model.pt",
    }
    # Somebody who reads what was put has the whole way back to what made it.
    here.run("sh", "-c", f"cat {tmp_path}/store/model.pt > used.txt")
    kinds = [each["kind"] for each in here.json("lineage", "used.txt")["jobs"]]
    assert kinds == ["run", "put", "run"]


def test_putting_again_uploads_nothing_and_adds_no_job(
    here: ProjectUnderTest, tmp_path: Path
) -> None:
    words = ("out", f"{tmp_path}/store", "--no-register")
    first = documents(here, *words)
    again = documents(here, *words)
    assert (again["job"], again["recorded"]) == (first["job"], False)
    assert not any(file["moved"] for file in again["files"])


def test_it_is_published_with_all_it_came_from(
    here: ProjectUnderTest, registry: Registry, tmp_path: Path
) -> None:
    here.environ["ROAR_REGISTRY__URL"] = registry.url
    refused = here.roar("put", "out", f"{tmp_path}/store", "--anonymous")
    assert refused.exit_code == 1
    assert "was not agreed to yet, and nothing was uploaded; agree with -y" in refused.stderr
    assert not (tmp_path / "store").exists()
    put = documents(here, "out", f"{tmp_path}/store", "--anonymous", "-y")
    assert len(put["registration"]["jobs"]) == 2
    [session] = put["registration"]["sessions"]
    told = httpx.get(f"{registry.url}/api/v1/sessions/{session['hash']}/jobs").text
    assert str(tmp_path) not in told
    again = documents(here, "out", f"{tmp_path}/store", "--anonymous", "-y")
    assert (again["recorded"], again["registration"]["sessions"]) == (False, [])


def test_a_registration_that_fails_is_finished_by_the_same_command(
    here: ProjectUnderTest, registry: Registry, tmp_path: Path
) -> None:
    words = ("out", f"{tmp_path}/store", "--anonymous", "-y")
    with standing_between(registry.url) as between:
        here.environ["ROAR_REGISTRY__URL"] = between.url
        between.refuse_after = 2
        failed = here.roar("put", *words)
        between.refuse_after = 1 << 30
        put = documents(here, *words)
    assert failed.exit_code == 1, failed.stderr
    assert f"the files are at {tmp_path}/store and recorded as @2" in failed.stderr
    assert "finish it with the same command, or with: roar register @2" in failed.stderr
    assert (put["recorded"], put["problem"]) == (False, None)
    assert len(put["registration"]["jobs"]) == 2
    assert len([job for job in here.json("log")["jobs"] if job["kind"] == "put"]) == 1


def test_an_unreachable_registry_is_known_before_anything_is_uploaded(
    here: ProjectUnderTest, tmp_path: Path
) -> None:
    refused = here.roar("put", "out", f"{tmp_path}/store", "-y", "--private")
    assert refused.exit_code == 1
    assert not (tmp_path / "store").exists()


def test_who_puts_bytes_has_not_made_them(here: ProjectUnderTest, tmp_path: Path) -> None:
    documents(here, "out", f"{tmp_path}/store", "--no-register")

    def kinds(ref: str) -> list[str]:
        return [each["kind"] for each in here.json("lineage", ref)["jobs"]]

    assert kinds("out/model.pt") == ["run"]
    assert kinds(f"{tmp_path}/store/model.pt") == ["put", "run"]
    plan = here.roar("reproduce", "out/model.pt")
    assert plan.exit_code == 0, plan.stderr
    assert "roar put" not in plan.stdout
    refused = here.roar("reproduce", "@2")
    assert "was recorded by a put, which is never run again" in refused.stderr
    # What nobody here made is as little from whoever has put it elsewhere.
    here.write("given.txt", "by nobody")
    documents(here, "given.txt", f"{tmp_path}/kept", "--no-register")
    here.run("sh", "-c", "cat given.txt > other.txt")
    assert kinds("other.txt") == ["run"]


def test_pop_takes_nothing_out_of_a_store(here: ProjectUnderTest, tmp_path: Path) -> None:
    documents(here, "out", f"{tmp_path}/store", "--no-register")
    here.roar("pop", "--outputs", "-y")
    assert sorted(os.listdir(tmp_path / "store")) == ["log.txt", "model.pt"]


def test_a_dry_run_uploads_nothing(here: ProjectUnderTest, tmp_path: Path) -> None:
    plan = documents(here, "out", f"{tmp_path}/store", "--dry-run")
    assert [file["exists"] for file in plan["files"]] == [False, False]
    assert not (tmp_path / "store").exists()

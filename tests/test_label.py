"""`roar label`: every change is a version, of jobs, artifacts and sessions alike."""

from __future__ import annotations

import concurrent.futures

from roar_core.testing.projects import ProjectUnderTest


def test_labels_nest_merge_and_are_versions(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "echo 1 > model")
    project.roar("label", "set", "@1", "stage=dev", "metrics.accuracy=0.91")
    shown = project.json("label", "set", "@1", "stage=prod", "metrics.loss=2")
    assert (shown["version"], shown["kind"]) == (2, "job")
    assert shown["labels"] == {"stage": "prod", "metrics": {"accuracy": 0.91, "loss": 2}}
    assert project.json("show", "@1")["labels"] == shown["labels"]
    assert "metrics.accuracy=0.91" in project.roar("show", "@1").stdout
    assert project.roar("label", "unset", "@1", "metrics").exit_code == 0
    assert project.roar("label", "unset", "@1", "metrics").exit_code == 1
    history = project.json("label", "history", "@1")
    assert [entry["version"] for entry in history["versions"]] == [3, 2, 1]
    assert history["versions"][2]["labels"]["stage"] == "dev"
    assert "- stage=dev" in project.roar("label", "history", "@1").stdout


def test_saying_the_same_again_makes_no_version(project: ProjectUnderTest) -> None:
    project.run("true")
    project.roar("label", "set", "@1", "a=1")
    assert "nothing changed" in project.roar("label", "set", "@1", "a=1").stderr
    assert project.json("label", "show", "@1")["version"] == 1


def test_a_path_is_the_bytes_it_holds(project: ProjectUnderTest) -> None:
    project.run("sh", "-c", "echo 1 > model")
    project.roar("label", "set", "model", "stage=prod")
    project.roar("run", "--", "sh", "-c", "echo 2 > model")
    assert project.json("label", "show", "model")["labels"] == {}
    project.roar("label", "set", "session:current", "goal=paper")
    assert project.json("label", "show", "session:1")["labels"] == {"goal": "paper"}
    project.write("model", "1\n")
    assert project.json("label", "show", "model")["labels"] == {"stage": "prod"}
    project.roar("label", "cp", "model", "@2")
    assert project.json("show", "@2")["labels"] == {"stage": "prod"}


def test_labels_set_at_once_are_all_kept(project: ProjectUnderTest) -> None:
    project.run("true")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: project.roar("label", "set", "@1", f"k{n}={n}"), range(8)))
    assert project.json("label", "show", "@1")["labels"] == {f"k{n}": n for n in range(8)}


def test_a_job_labelled_while_it_runs_keeps_its_labels(project: ProjectUnderTest) -> None:
    roar = " ".join(project.roar_argv)
    project.run("sh", "-c", f"{roar} label set @1 early=true")
    assert project.json("show", "@1")["labels"] == {"early": True}


def test_what_is_roars_own_cannot_be_set(project: ProjectUnderTest) -> None:
    project.run("true")
    for word in ("roar.x=1", "tag.license=mit", "dataset.id=x", "novalue"):
        done = project.roar("label", "set", "@1", word)
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert project.roar("label", "set", "@9", "a=1").exit_code == 1

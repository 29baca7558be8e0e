"""`roar osmo`: looking before, attaching to what is there, and waiting."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from osmo_cluster import Cluster, shown, tasks_of

from roar_core.testing.projects import ProjectUnderTest

WORKFLOW = """\
workflow:
  name: two
  tasks:
  - {name: make, image: i, command: [sh, -c], args: ["echo 1 > {{output}}/one"]}
  - name: copy
    image: i
    command: [sh, -c, "cp {{input:0}}/one {{output}}/copy"]
    inputs: [{task: make}]
    outputs: [{url: "s3://results/"}]
"""


def submit(project: ProjectUnderTest, cluster: Cluster, file: str) -> None:
    """Submit and run a workflow without roar."""
    done = project.shell(f"osmo workflow submit {file}")
    assert done.exit_code == 0, done.stdout
    cluster.run("two-1")


def test_prepare_shows_what_would_be_submitted(project: ProjectUnderTest, cluster: Cluster) -> None:
    project.write("two.yaml", WORKFLOW)
    done = project.roar("osmo", "prepare", "two.yaml", "--into", "prepared.yaml", "--set", "a=1")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "make: comes back by logs\ncopy: comes back by logs\n"
    assert project.read("two.yaml") == WORKFLOW
    assert not (cluster.folder / "workflows").exists()
    printed = project.roar("osmo", "prepare", "two.yaml").stdout
    assert printed == project.read("prepared.yaml")
    tasks = yaml.safe_load(printed)["workflow"]["tasks"]
    assert [task["command"] for task in tasks] == [["sh", "/roar-osmo/launch.sh"]] * 2
    assert not (project.root / ".roar/roar.db").exists()


def test_what_was_prepared_and_submitted_by_hand_can_be_attached_to(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("two.yaml", WORKFLOW)
    project.roar("osmo", "prepare", "two.yaml", "--into", "prepared.yaml")
    submit(project, cluster, "prepared.yaml")
    done = project.roar("osmo", "attach", "two-1")
    assert done.exit_code == 0, done.stderr
    assert "Status      : COMPLETED" in done.stdout
    job = project.json("show", "@1")
    assert job["coverage"]["reasons"] == []
    make, copy = tasks_of(job)
    one = "file://two-1/make/output/one"
    assert shown(project, make["uid"]) == (set(), {one})
    assert shown(project, copy["uid"]) == (
        {one},
        {"file://two-1/copy/output/copy", "s3://results/"},
    )


def test_a_workflow_that_knows_nothing_of_roar_is_declared(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("two.yaml", WORKFLOW)
    submit(project, cluster, "two.yaml")
    assert project.roar("osmo", "attach", "two-1").exit_code == 0
    make, copy = tasks_of(project.json("show", "@1"))
    assert shown(project, copy["uid"]) == (set(), {"s3://results/"})
    for task in (make, copy):
        reasons = project.json("show", task["uid"])["coverage"]["reasons"]
        [reason] = [each for each in reasons if each["code"] != "declared"]
        assert reason["code"] == "untraced"
        assert reason["detail"].endswith("it was submitted without roar's launcher")


def test_collect_waits_until_the_workflow_has_ended(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("two.yaml", WORKFLOW)
    assert project.run("osmo", "workflow", "submit", "two.yaml").exit_code == 0
    once = project.roar("osmo", "collect")
    assert (once.exit_code, once.stdout) == (3, "@1  0 new, open: more may come\n")
    cluster.run("two-1")
    waited = project.roar("osmo", "collect", "--wait", "--every", "0.1")
    assert (waited.exit_code, waited.stdout) == (0, "@1  2 new, complete\n")
    assert project.roar("osmo", "collect").stdout == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("prepare", "absent.yaml"), "'absent.yaml' is no file; name the workflow's own file"),
        (
            ("prepare", "x.yaml", "--new"),
            "an option is none of osmo workflow submit that roar knows",
        ),
        (("prepare", "x.yaml"), "x.yaml: workflow has neither tasks nor groups"),
        (("prepare", "t.yaml"), "failed with exit status 1: 'undefined_name' is undefined"),
        (("prepare", "two.yaml", "--into", "."), "cannot write '.': Is a directory"),
        (("collect", "--every", "nan"), "nan is no number of seconds from 0.1 to 86400"),
        (("attach", ""), "'' is no workflow's id; osmo workflow list shows them"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    project: ProjectUnderTest, cluster: Cluster, words: tuple[str, ...], sentence: str
) -> None:
    project.write("two.yaml", WORKFLOW)
    project.write("x.yaml", "workflow: {name: w}\n")
    project.write("t.yaml", "workflow: {name: '{{ undefined_name }}'}\n")
    done = project.roar("osmo", *words)
    assert done.exit_code in (1, 2)
    assert done.stderr.startswith("roar: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_workflow_that_is_not_there_is_told_by_osmo(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    done = project.roar("osmo", "attach", "none-1")
    assert done.exit_code == 1
    assert "Workflow none-1 is not found." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_prepare_needs_no_project_and_changes_nothing(
    project: ProjectUnderTest, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "two.yaml").write_text(WORKFLOW)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = project.roar("osmo", "prepare", str(tmp_path / "two.yaml"))
    assert done.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == before

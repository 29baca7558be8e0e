"""Workflows that are really run: what comes back, and that nothing else changes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import signal
import zlib

import pytest
from osmo_cluster import Cluster, collected, shown, submitted, tasks_of

from roar_core.testing.processes import kill_group, wait_for
from roar_core.testing.projects import ProjectUnderTest

SERIAL = """\
workflow:
  name: serial
  tasks:
  - name: make
    image: ubuntu:24.04
    command: [sh, -c]
    args: ["echo 3 > {{output}}/numbers; echo made"]
  - name: sum
    image: ubuntu:24.04
    command: ["bash", "/tmp/run.sh"]
    inputs:
    - task: make
    outputs:
    - url: s3://results/serial/
    files:
    - path: /tmp/run.sh
      contents: |
        cat {{input:0}}/numbers {{input:0}}/numbers > {{output}}/sum
"""


def test_a_workflow_s_tasks_come_back_with_what_they_did(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("serial.yaml", SERIAL)
    result = project.run("osmo", "workflow", "submit", "serial.yaml")
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert result.stdout.splitlines()[1] == "Workflow ID        - serial-1"
    assert project.read("serial.yaml") == SERIAL
    assert result.job is not None
    assert "serial.yaml" in result.reads
    assert not [path for path in result.reads if "roar_" in path]
    [reason] = result.job["coverage"]["reasons"]
    assert reason["detail"] == "tasks of serial-1 have not ended: later, roar collect"
    assert not cluster.calls("query"), "nobody waits for osmo to say that nothing has ended"
    # Before it has run, and while it runs, there is nothing to bring in.
    assert (collected(project)["merged"], collected(project)["open"]) == (0, True)
    cluster.run("serial-1")
    run = collected(project)
    assert (run["merged"], run["open"]) == (2, False)
    job = project.json("show", "@1")
    assert job["coverage"]["reasons"] == []
    make, add = tasks_of(job)
    numbers, total = "file://serial-1/make/output/numbers", "file://serial-1/sum/output/sum"
    assert shown(project, make["uid"]) == (set(), {numbers})
    read, written = shown(project, add["uid"])
    assert numbers in read
    assert [path for path in read - {numbers} if not path.endswith("/files/tmp/run.sh")] == []
    assert written == {total, "s3://results/serial/"}
    assert (make["state"], make["exit_code"]) == ("succeeded", 0)
    # The bytes that passed between them tie the tasks together.
    inputs = {edge["path"]: edge for edge in project.json("show", add["uid"])["inputs"]}
    assert inputs[numbers]["producer"] == make["uid"]
    # Where nobody may see it, nothing of ours is left: not in what the tasks put out.
    assert [path.name for path in (cluster.folder / "store/results").rglob("*")] == [
        "serial",
        "sum",
    ]
    assert project.json("collect")["runs"] == []


RETRIED = """\
workflow:
  name: retried
  tasks:
  - name: flaky
    image: python
    command: [python3, -c]
    args:
    - |
      import os, sys
      here = os.path.abspath(".")
      open("{{output}}/" + ("second" if "flaky.1" in here else "first"), "w").write(here)
      sys.exit(0 if "flaky.1" in here else 7)
    exitActions:
      RESCHEDULE: "7"
"""


def test_a_rescheduled_task_is_two_attempts(project: ProjectUnderTest, cluster: Cluster) -> None:
    submitted(project, RETRIED)
    cluster.run("retried-1")
    assert cluster.statuses("retried-1") == {
        ("flaky", 0): ("RESCHEDULED", 7),
        ("flaky", 1): ("COMPLETED", 0),
    }
    run = collected(project)
    assert (run["merged"], run["open"]) == (2, False)
    job = project.json("show", "@1")
    [group] = job["tasks"]
    assert (group["count"], group["attempts"]) == (1, 2)
    first, second = group["jobs"]
    assert [each["task"]["attempt"] for each in (first, second)] == [1, 2]
    assert [(each["state"], each["exit_code"]) for each in (first, second)] == [
        ("failed", 7),
        ("succeeded", 0),
    ]
    assert shown(project, first["uid"])[1] == {"file://retried-1/flaky/output/first"}
    assert shown(project, second["uid"])[1] == {"file://retried-1/flaky/output/second"}


NEVER = ("UPSTREAM", "QUEUE_TIMEOUT", "IMAGE_PULL", "START_ERROR", "START_TIMEOUT")
ENDED = ("CANCELED", "EXEC_TIMEOUT", "EVICTED", "PREEMPTED", "SERVER_ERROR", "BACKEND_ERROR")


def test_every_way_to_fail_is_told_as_it_is(project: ProjectUnderTest, cluster: Cluster) -> None:
    names = {f"FAILED_{each}": each.lower().replace("_", "-") for each in (*NEVER, *ENDED)}
    tasks = "".join(
        f"  - {{name: {name}, image: a, command: [echo, hello]}}\n" for name in names.values()
    )
    cluster.behave(status={name: status for status, name in names.items()})
    submitted(project, f"workflow:\n  name: failing\n  tasks:\n{tasks}")
    cluster.run("failing-1")
    run = collected(project)
    assert (run["merged"], run["open"]) == (len(ENDED), False)
    job = project.json("show", "@1")
    assert {task["name"]: task["state"] for task in tasks_of(job)} == {
        each.lower().replace("_", "-"): "interrupted" for each in ENDED
    }
    [reason] = [r for r in job["coverage"]["reasons"] if "never ran" in r["detail"]]
    assert reason["count"] == len(NEVER)
    assert "image-pull (FAILED_IMAGE_PULL)" in reason["detail"]


def test_what_nobody_observed_is_declared(project: ProjectUnderTest, cluster: Cluster) -> None:
    cluster.leave_out_roar()
    text = SERIAL.replace("inputs:\n", "inputs:\n    - url: s3://data/{{workflow_id}}/in/\n")
    submitted(project, text)
    cluster.run("serial-1")
    assert cluster.file("serial-1", "make.0", "stdout").read_text() == "made\n"
    assert (collected(project)["merged"], project.json("collect")["runs"]) == (2, [])
    make, add = tasks_of(project.json("show", "@1"))
    for task in (make, add):
        document = project.json("show", task["uid"])
        [_, reason] = sorted(document["coverage"]["reasons"], key=lambda each: each["code"])
        assert reason["code"] == "untraced"
        assert "its launcher sent nothing" in reason["detail"]
        assert document["tracer"] is None
        assert document["task"]["declared"] is True
    assert shown(project, add["uid"]) == ({"s3://data/serial-1/in/"}, {"s3://results/serial/"})
    # No file ties them together, but the specification does.
    document = project.json("show", add["uid"])
    assert document["command"] == ["bash", "/tmp/run.sh"]
    assert [(need["task"], need["job"]) for need in document["needs"]] == [("make", make["uid"])]


def test_a_killed_task_hides_no_other(project: ProjectUnderTest, cluster: Cluster) -> None:
    text = SERIAL.replace("name: sum", "name: left").replace("- task: make", "- url: s3://none/")
    submitted(project, text.replace("echo made", "touch begun; exec sleep 600"))
    cluster.behave(kill=["make"], status={"make": "FAILED_EVICTED"})
    cluster.run("serial-1")
    assert cluster.statuses("serial-1")["make", 0] == ("FAILED_EVICTED", 255)
    assert collected(project)["merged"] == 2
    killed, left = tasks_of(project.json("show", "@1"))
    assert (killed["state"], left["state"]) == ("interrupted", "failed")
    codes = {r["code"] for r in project.json("show", killed["uid"])["coverage"]["reasons"]}
    assert codes == {"declared", "untraced"}
    assert project.json("show", left["uid"])["tracer"] == "preload"


@pytest.mark.thorough
def test_storage_is_used_where_nobody_else_looks(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.roar("config", "set", "osmo.bucket", "s3://lineage/team")
    alone = "  - {name: alone, image: a, command: [sh, -c], args: ['echo 1 > {{output}}/one']}\n"
    submitted(project, SERIAL + alone)
    spec = project.roar("osmo", "prepare", "workflow.yaml")
    assert spec.stderr.splitlines() == [
        "make: comes back by logs",
        "sum: comes back by logs",
        "alone: comes back by output",
    ]
    cluster.run("serial-1")
    stored = cluster.folder / "store/lineage/team/roar/serial-1"
    assert [path.name for path in stored.glob("*")] == ["alone"]
    assert len(list(stored.glob("alone/roar-fragments/*.json"))) == 1
    assert "ROAR1" not in cluster.file("serial-1", "alone.0", "stderr").read_text()
    assert collected(project)["merged"] == 3
    alone_task = tasks_of(project.json("show", "@1"))[2]
    assert shown(project, alone_task["uid"])[1] == {"file://serial-1/alone/output/one"}


@pytest.mark.thorough
def test_a_bucket_that_osmo_may_not_write_to_fails_no_task(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.roar("config", "set", "osmo.bucket", "s3://lineage")
    project.roar("config", "set", "osmo.return", "output")
    cluster.behave(unwritable=["s3://lineage"])
    submitted(project, SERIAL)
    cluster.run("serial-1")
    assert "lineage" not in cluster.state("serial-1")["spec"]
    assert collected(project)["merged"] == 2
    [reason] = project.json("show", "@1")["coverage"]["reasons"]
    assert "OSMO may not write to s3://lineage: 403" in reason["detail"]


@pytest.mark.parametrize(
    "refused", ["label", pytest.param("label-option", marks=pytest.mark.thorough), "launcher"]
)
def test_what_the_server_refuses_is_left_out(
    project: ProjectUnderTest, cluster: Cluster, refused: str
) -> None:
    cluster.behave(refuse=refused)
    result = submitted(project, SERIAL)
    assert "Workflow ID        - serial-1" in result.stdout
    state = cluster.state("serial-1")
    assert state["labels"] == {}
    assert ("roar-osmo" in state["spec"]) == (refused != "launcher")
    cluster.run("serial-1")
    assert collected(project)["merged"] == 2
    job = project.json("show", "@1")
    assert [task["state"] for task in tasks_of(job)] == ["succeeded"] * 2
    words = [reason["detail"] for reason in job["coverage"]["reasons"]]
    assert [word for word in words if "refused" in word] == (
        ["the server refused the workflow with roar's launcher in it"] * (refused == "launcher")
    )


def sent(content: bytes, count: int = 1) -> str:
    """The first of so many lines that would deliver `content`."""
    packed = zlib.compress(content)
    name, text = hashlib.sha256(packed).hexdigest(), base64.b64encode(packed).decode()
    return f"ROAR1 {name} 1/{count} {text}"


def test_what_is_no_report_keeps_no_other_from_being_read(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    lines = [sent(b"\xff{"), sent(b'{"roar_osmo": 1}'), sent(b"cut", 2)]
    script = "; ".join([*(f"echo {line} >&2" for line in lines), "printf unended >&2"])
    submitted(project, SERIAL.replace("echo made", script))
    cluster.run("serial-1")
    run = collected(project)
    assert (run["merged"], run["open"]) == (2, False)
    job = project.json("show", "@1")
    assert not [task for task in tasks_of(job) if task["task"].get("declared")]
    words = [reason["detail"] for reason in job["coverage"]["reasons"]]
    assert len([word for word in words if "what a launcher sent cannot be read" in word]) == 2


def test_a_report_that_was_cut_is_told_from_one_that_never_came(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    cluster.leave_out_roar()
    submitted(project, SERIAL.replace("echo made", f"echo {sent(b'cut', 2)}"))
    cluster.run("serial-1")
    assert collected(project)["merged"] == 2
    details = [
        {reason["detail"] for reason in project.json("show", task["uid"])["coverage"]["reasons"]}
        for task in tasks_of(project.json("show", "@1"))
    ]
    for at, words in enumerate(("is cut short or damaged", "its launcher sent nothing")):
        assert any(words in detail for detail in details[at])


def submitting(project: ProjectUnderTest) -> str:
    """`roar run osmo workflow submit workflow.yaml`, for a shell."""
    return shlex.join([*project.roar_argv, "run", "osmo", "workflow", "submit", "workflow.yaml"])


def test_ctrl_c_before_anything_is_submitted_ends_it_without_a_word(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("workflow.yaml", SERIAL)
    cluster.behave(hangs=["submit"])
    driver = project.start("sh", "-c", f"exec {submitting(project)} 2>said")
    wait_for((cluster.folder / "calls").exists)
    os.killpg(driver.pid, signal.SIGINT)
    driver.wait()
    [line] = project.read("said").splitlines()
    assert line.startswith("roar: @1 ")
    job = project.json("show", "@1")
    assert (job["state"], job["signal"]) == ("failed", "SIGINT")
    assert project.json("collect")["runs"] == []


def test_a_closed_stdout_keeps_nothing_from_being_submitted(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("workflow.yaml", SERIAL)
    assert project.shell(f"{submitting(project)} >&- 2>said").exit_code == 0
    [line] = project.read("said").splitlines()
    assert line.startswith("roar: @1 ")
    assert cluster.state("serial-1")["labels"]


def test_a_workflow_is_found_again_when_roar_is_killed_while_it_submits(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("workflow.yaml", SERIAL)
    cluster.behave(lingers=True)
    submit = ("osmo", "workflow", "submit", "workflow.yaml")
    driver = project.start(*project.roar_argv, "run", *submit)
    wait_for((cluster.folder / "workflows/serial-1/state.json").exists)
    kill_group(driver)
    cluster.run("serial-1")
    for _ in range(3):  # the run is completed, then asked about, then left alone
        project.json("collect")
    job = project.json("show", "@1")
    assert job["state"] == "interrupted"
    assert [task["state"] for task in tasks_of(job)] == ["succeeded"] * 2
    assert project.json("collect")["runs"] == []


def test_an_osmo_that_gives_no_answer_is_asked_again(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.roar("config", "set", "osmo.timeout", "2")
    submitted(project, SERIAL)
    cluster.run("serial-1")
    for how, words in (
        (
            {"garbage": ["query"]},
            "printed no JSON object with 'groups', but '<html>502 Bad Gateway</html>'",
        ),
        ({"fails": ["query"]}, "failed with exit status 1: Connection failed"),
        ({"hangs": ["query"]}, "did not answer within 2 seconds; see osmo.timeout"),
    ):
        cluster.behave(**how)
        result = project.roar("collect", "--json")
        [run] = json.loads(result.stdout)["runs"]
        assert (run["merged"], run["open"]) == (0, True)
        assert words in result.stderr
    # What cannot be fetched is tried again, too, and given up in the end.
    cluster.behave(fails=["logs"], noise=["query"])
    states = [collected(project)["open"] for _ in range(3)]
    assert states == [True, True, False]
    tasks = tasks_of(project.json("show", "@1"))
    assert all("cannot be fetched" in str(project.json("show", t["uid"])) for t in tasks)


def test_a_template_is_rendered_by_the_server_and_local_files_come_along(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("jobs/count.py", "import sys\nopen(sys.argv[1], 'w').write(sys.argv[2])\n")
    project.write(
        "jobs/many.yaml",
        """\
workflow:
  name: {{ name }}
  groups:
  - name: workers
    tasks:
    {% for item in range(count) %}
    - name: "worker_{{item}}"
      image: python:{{ version }}
      {% if item == 0 %}
      lead: true
      {% endif %}
      command: [python3]
      args: [/code/count.py, "{{output}}/n", "{{ item }}"]
      files:
      - {path: /code/count.py, localpath: count.py}
    {% endfor %}

default-values:
  name: many
  count: 1
  version: 3.11
""",
    )
    words = ("--set", "count=2", "version=3.12", "-t", "json")
    result = project.run("osmo", "workflow", "submit", "jobs/many.yaml", *words)
    assert json.loads(result.stdout)["name"] == "many-1"
    assert result.reads >= {"jobs/many.yaml", "jobs/count.py"}
    cluster.run("many-1")
    assert collected(project)["merged"] == 2
    job = project.json("show", "@1")
    tasks = tasks_of(job)
    assert [task["name"] for task in tasks] == ["worker_0", "worker_1"]
    assert {shown(project, task["uid"])[1].pop() for task in tasks} == {
        "file://many-1/worker_0/output/n",
        "file://many-1/worker_1/output/n",
    }


@pytest.mark.thorough
def test_variables_of_python_s_lead_roar_nowhere_else(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("lib/roar_osmo/__init__.py", "raise SystemExit(9)\n")
    lib = project.root / "lib"
    project.roar("config", "set", "environment.set", f'{{PYTHONPATH="{lib}"}}')
    submitted(project, SERIAL)
    assert "roar-osmo" in cluster.state("serial-1")["spec"]


def test_a_dry_run_and_a_wrong_file_are_osmo_s_own(
    project: ProjectUnderTest, cluster: Cluster
) -> None:
    project.write("workflow.yaml", SERIAL)
    result = project.run("osmo", "workflow", "submit", "workflow.yaml", "--dry-run")
    assert result.stdout == SERIAL
    result = project.run("osmo", "workflow", "submit", "absent.yaml")
    assert result.exit_code == 1
    assert "No such file or directory: 'absent.yaml'" in result.stderr
    assert result.job is not None
    assert (result.job["state"], tasks_of(result.job)) == ("failed", [])
    assert project.json("collect")["runs"] == []

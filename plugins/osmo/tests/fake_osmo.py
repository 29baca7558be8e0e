"""A synthetic `osmo`, and behind it a cluster that really runs tasks as processes of this machine.

Not recorded from a live OSMO: the answers are built from the schemas in OSMO's public source
(SubmitResponse, WorkflowQueryResponse, TaskSpec …; 6.3). `$FAKE_OSMO` is its folder:

    behaviour.json   what is to go wrong, see `Behaviour`
    calls            every command line, one JSON list a line
    workflows/<id>   spec.yaml, labels, and state.json: status, attempts, logs
    pods/<id>/<task>.<retry>   a container's files
    store/<bucket>/… objects

`fake_osmo.py cluster ID` is no command of OSMO: it runs a workflow to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(os.environ["FAKE_OSMO"])
TOKEN = re.compile(r"\{\{ *((?:input:[\w-]+|output|workflow_id|host:[\w-]+)) *\}\}")
# The fields of TaskSpec that a specification may have; anything else is refused.
FIELDS = {
    *("name", "image", "command", "inputs", "outputs", "args", "lead", "environment", "files"),
    *("privileged", "hostNetwork", "volumeMounts", "credentials", "downloadType", "cacheSize"),
    *("exitActions", "checkpoint", "resource", "kpis"),
}


class Refused(Exception):
    """What the service answers with an error."""


def behaviour() -> dict[str, Any]:
    """hangs, garbage, noise: lists of verbs; refuse: "label" or "launcher"; status: task -> how it
    ends without running; kill: tasks whose pod is killed once they made a file `begun`."""
    path = ROOT / "behaviour.json"
    return json.loads(path.read_text()) if path.exists() else {}


def main() -> int:
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / "calls").open("a") as calls:
        calls.write(json.dumps(sys.argv[1:]) + "\n")
    if sys.argv[1] == "cluster":
        run_workflow(sys.argv[2])
        return 0
    args = parser().parse_args()
    told = behaviour()
    if args.verb in told.get("hangs", ()):
        time.sleep(600)
    if args.verb in told.get("fails", ()):
        sys.stderr.write("Connection failed: the service is unavailable\n")
        return 1
    if args.verb in told.get("noise", ()):
        print("WARNING: New client {6.4} available\nPlease upgrade.\n")
    if args.verb in told.get("garbage", ()):
        print("<html>502 Bad Gateway</html>")
        return 0
    try:
        args.run(args)
    except Refused as error:
        sys.stderr.write(f"Workflow submit failed:\n{error}\n")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="osmo")
    nouns = top.add_subparsers(required=True)
    workflow = nouns.add_parser("workflow").add_subparsers(required=True, dest="verb")
    one = workflow.add_parser("submit")
    one.add_argument("workflow_file")
    one.add_argument("--format-type", "-t", default="text")
    for many in ("--set", "--set-string", "--set-env"):
        one.add_argument(many, nargs="+", action="extend", default=[])
    one.add_argument("--dry-run", action="store_true", dest="dry")
    one.add_argument("--pool", "-p")
    one.add_argument("--priority")
    if behaviour().get("refuse") != "label-option":
        one.add_argument("--label", action="append", dest="labels", default=[])
    one.set_defaults(run=submit)
    one = workflow.add_parser("query")
    one.add_argument("workflow")
    one.add_argument("--verbose", "-v", action="store_true")
    one.add_argument("--format-type", "-t", default="text")
    one.set_defaults(run=query)
    one = workflow.add_parser("spec")
    one.add_argument("workflow")
    one.set_defaults(run=lambda args: print(workflow_of(args.workflow)["spec"], end=""))
    one = workflow.add_parser("logs")
    one.add_argument("workflow")
    one.add_argument("--task", "-t")
    one.add_argument("--retry-id", "-r", type=int)
    one.set_defaults(run=logs)
    one = workflow.add_parser("list")
    one.add_argument("--label", action="append", dest="labels", default=[])
    one.add_argument("--format-type", "-t", default="text")
    one.set_defaults(run=list_all)
    data = nouns.add_parser("data").add_subparsers(required=True, dest="verb")
    one = data.add_parser("download")
    one.add_argument("url")
    one.add_argument("folder")
    one.add_argument("--regex", "-x", default="")
    one.set_defaults(run=download)
    one = data.add_parser("check")
    one.add_argument("url")
    one.add_argument("--access-type", "-a")
    one.set_defaults(run=check)
    return top


# --- the client and the service -------------------------------------------------------------------


def submit(args: argparse.Namespace) -> None:
    file = Path(args.workflow_file)
    if not file.exists():
        raise Refused(f"[Errno 2] No such file or directory: '{file}'")
    spec = rendered(file.read_text(), args.set, args.set_string)
    if args.dry:
        print(spec)
        return
    document = yaml.safe_load(spec)
    tasks = tasks_of(document)
    for task in tasks:
        for entry in task.get("files", []):
            if "localpath" in entry:
                entry["contents"] = (file.parent / entry.pop("localpath")).read_text()
        for pair in args.set_env:
            name, _, value = pair.partition("=")
            task.setdefault("environment", {})[name] = value
    labels = dict(pair.split("=", 1) for pair in getattr(args, "labels", []))
    validate(document, labels)
    name = document["workflow"]["name"]
    number = len(list((ROOT / "workflows").glob(f"{name}-*"))) + 1
    workflow = f"{name}-{number}"
    state = {"spec": yaml.dump(document), "labels": labels, "status": "PENDING", "attempts": []}
    for task in tasks:
        state["attempts"].append(attempt_of(task["name"], 0, "WAITING"))
    keep(workflow, state)
    if behaviour().get("lingers"):
        time.sleep(600)
    overview = f"https://osmo.example/workflows/{workflow}"
    if args.format_type == "json":
        print(json.dumps({"name": workflow, "overview": overview, "spec": state["spec"]}, indent=2))
    else:
        print("Workflow submit successful.")
        print(f"Workflow ID        - {workflow}\nWorkflow Overview  - {overview}")


def rendered(text: str, *settings: list[str]) -> str:
    """The workflow's part of a template, special tokens left as they are."""
    import jinja2

    head, found, defaults = text.partition("\ndefault-values:")
    values = yaml.safe_load(found + defaults)["default-values"] if found else {}
    for pair in (pair for each in settings for pair in each):
        name, _, value = pair.partition("=")
        values[name] = yaml.safe_load(value)
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        TOKEN.sub(hide, head)
    )
    try:
        done = template.render(**values)
    except jinja2.TemplateError as error:
        raise Refused(str(error)) from error
    return re.sub("\0(\\d+)\0", lambda match: kept[int(match[1])], done)


def validate(document: Any, labels: dict[str, str]) -> None:
    refuse = behaviour().get("refuse")
    if refuse == "label" and "roar-run" in labels:
        raise Refused("Label policy: key roar-run is not allowed")
    for task in tasks_of(document):
        if unknown := set(task) - FIELDS:
            raise Refused(f"extra fields not permitted: {sorted(unknown)}")
        if not all(isinstance(word, str) for word in [*task["command"], *task.get("args", [])]):
            raise Refused("str type expected")
        paths = [entry["path"] for entry in task.get("files", [])]
        if len(set(paths)) < len(paths) or any(path.startswith("/osmo") for path in paths):
            raise Refused("a file's path is forbidden or there twice")
        if refuse == "launcher" and any("/roar-osmo" in path for path in paths):
            raise Refused("files below /roar-osmo are not allowed here")
        if any("dataset" in entry for entry in [*task.get("inputs", []), *task.get("outputs", [])]):
            raise Refused("datasets are no longer supported")


def tasks_of(document: Any) -> list[Any]:
    workflow = document["workflow"]
    groups = workflow.get("groups") or []
    return [*(workflow.get("tasks") or []), *(task for group in groups for task in group["tasks"])]


def attempt_of(task: str, retry: int, status: str) -> dict[str, Any]:
    uuid = f"{task}{retry}".encode().hex().ljust(32, "0")[:32]
    return {
        "name": task,
        "retry_id": retry,
        "status": status,
        "failure_message": None,
        "exit_code": None,
        "start_time": None,
        "end_time": None,
        "node_name": None,
        "task_uuid": uuid,
        "pod_name": f"pod-{uuid[:16]}",
        "lead": True,
        "logs": "https://osmo.example/logs",
        "events": "https://osmo.example/events",
    }


def query(args: argparse.Namespace) -> None:
    state = workflow_of(args.workflow)
    attempts = state["attempts"]
    if not args.verbose:
        attempts = list({attempt["name"]: attempt for attempt in attempts}.values())
    document = {
        "name": args.workflow,
        "uuid": "0" * 32,
        "submitted_by": "ada",
        "spec": "https://osmo.example/spec",
        "template_spec": "https://osmo.example/spec",
        "logs": "https://osmo.example/logs",
        "status": state["status"],
        "groups": [
            {"name": f"{a['name']}-group", "status": a["status"], "tasks": [a]} for a in attempts
        ],
        "labels": state["labels"],
    }
    if args.format_type == "json":
        print(json.dumps(document, indent=2))
        return
    print(f"Workflow ID : {args.workflow}\nStatus      : {state['status']}")
    for attempt in attempts:
        print(f"{attempt['name']}  {attempt['status']}")


def logs(args: argparse.Namespace) -> None:
    attempts = workflow_of(args.workflow)["attempts"]
    if args.task:
        mine = [a for a in attempts if a["name"] == args.task]
        # As osmo has it: a retry of 0 is none, and none is the latest.
        attempts = (
            [a for a in mine if a["retry_id"] == args.retry_id] if args.retry_id else mine[-1:]
        )
    print(f"Workflow {args.workflow} has logs:")
    for attempt in attempts:
        path = pod(args.workflow, attempt["name"], attempt["retry_id"]) / "log"
        if path.exists():
            print(path.read_text(errors="replace"), end="")


def list_all(args: argparse.Namespace) -> None:
    wanted = dict(pair.split("=", 1) for pair in args.labels)
    found = [
        {"name": path.name, "status": workflow_of(path.name)["status"]}
        for path in sorted((ROOT / "workflows").glob("*"))
        if wanted.items() <= workflow_of(path.name)["labels"].items()
    ]
    print(json.dumps({"workflows": found}))


def download(args: argparse.Namespace) -> None:
    source = stored(args.url)
    if not source.is_dir():
        raise Refused(f"no objects found at {args.url}")
    copy_matching(source, Path(args.folder), args.regex)


def check(args: argparse.Namespace) -> None:
    bad = args.url in behaviour().get("unwritable", ())
    print(json.dumps({"status": "fail", "error": "403"} if bad else {"status": "pass"}))


# --- the cluster ----------------------------------------------------------------------------------


def run_workflow(workflow: str) -> None:
    """Run all tasks, those that others wait for first, until each has ended for good."""
    state = workflow_of(workflow)
    tasks = tasks_of(yaml.safe_load(state["spec"]))
    state["attempts"], state["status"] = [], "RUNNING"
    keep(workflow, state)
    ended: dict[str, str] = {}
    for task in tasks:
        needs = [entry["task"] for entry in task.get("inputs", []) if "task" in entry]
        forced = behaviour().get("status", {}).get(task["name"])
        if any(ended.get(each) != "COMPLETED" for each in needs):
            forced = "FAILED_UPSTREAM"
        retry = 0
        while True:
            attempt = attempt_of(task["name"], retry, "RUNNING")
            state["attempts"].append(attempt)
            keep(workflow, state)
            run_attempt(workflow, task, attempt, forced)
            keep(workflow, state)
            if attempt["status"] != "RESCHEDULED":
                break
            retry += 1
        ended[task["name"]] = attempt["status"]
    bad = [status for status in ended.values() if status != "COMPLETED"]
    first = next((status for status in bad if status != "FAILED_UPSTREAM"), "FAILED")
    state["status"] = first if bad else "COMPLETED"
    keep(workflow, state)


def run_attempt(workflow: str, task: Any, attempt: dict[str, Any], forced: str | None) -> None:
    never = ("UPSTREAM", "QUEUE_TIMEOUT", "IMAGE_PULL", "START_ERROR", "START_TIMEOUT")
    if forced and forced.removeprefix("FAILED_") in never:
        attempt["status"] = forced
        return
    root = pod(workflow, task["name"], attempt["retry_id"])
    output = root / "osmo/data/output"
    output.mkdir(parents=True)
    (root / "work").mkdir()
    tokens = {"workflow_id": workflow, "output": str(output)}
    for at, entry in enumerate(task.get("inputs", [])):
        folder = root / "osmo/data/input" / str(at)
        folder.mkdir(parents=True)
        tokens[f"input:{at}"] = str(folder)
        name = entry.get("task", "")
        source = ROOT / "store/tasks" / workflow / name if name else stored(entry["url"])
        if source.is_dir():
            copy_matching(source, folder, entry.get("regex", ""))
    # Tokens are replaced in the text of the whole task, as OSMO does it.
    text = json.dumps(task)
    for name, value in tokens.items():
        text = re.sub("{{[ ]*" + name + "[ ]*}}", value, text)
    task = json.loads(text)
    words = [*task["command"], *task.get("args", [])]
    for entry in task.get("files", []):
        path = root / "files" / entry["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["contents"])
        words = [word.replace(entry["path"], str(path)) for word in words]
    attempt["start_time"] = now()
    attempt["node_name"] = "node-1"
    code = run_command(root, words, task, attempt)
    for entry in task.get("outputs", []):
        copy_matching(output, stored(entry["url"]), entry.get("regex", ""))
    copy_matching(output, ROOT / "store/tasks" / workflow / task["name"], "")
    attempt["end_time"] = now()
    # Go's ExitCode() of what a signal ended is -1, which leaves as 255.
    attempt["exit_code"] = code if code >= 0 else 255
    rescheduled = str(attempt["exit_code"]) in task.get("exitActions", {}).get(
        "RESCHEDULE", ""
    ).split(",")
    status = "RESCHEDULED" if rescheduled else ("FAILED" if code else "COMPLETED")
    attempt["status"] = forced or status


def run_command(root: Path, words: list[str], task: Any, attempt: dict[str, Any]) -> int:
    environ = {"PATH": os.environ["FAKE_OSMO_PATH"], "HOME": str(root / "work")}
    environ |= task.get("environment", {})
    try:
        process = subprocess.Popen(
            words, cwd=root / "work", env=environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        (root / "log").write_text(f"Exec failed with error: {error}\n")
        return 2
    if task["name"] in behaviour().get("kill", ()):
        while not (root / "work/begun").exists() and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    out, err = process.communicate()
    (root / "stdout").write_bytes(out)
    (root / "stderr").write_bytes(err)
    lines = [*out.splitlines(), *err.splitlines()]
    prefix = f"2026/01/01 00:00:00 [{attempt['name']}] ".encode()
    (root / "log").write_bytes(b"".join(prefix + line + b"\n" for line in lines))
    return process.returncode


def pod(workflow: str, task: str, retry: int) -> Path:
    return ROOT / "pods" / workflow / f"{task}.{retry}"


def stored(url: str) -> Path:
    return ROOT / "store" / url.split("://", 1)[1].strip("/")


def copy_matching(source: Path, target: Path, regex: str) -> None:
    for path in sorted(source.rglob("*")):
        relative = str(path.relative_to(source))
        if path.is_file() and re.match(regex or ".*", relative):
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / relative)


def now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


def workflow_of(name: str) -> dict[str, Any]:
    path = ROOT / "workflows" / name / "state.json"
    if not path.exists():
        raise Refused(f"Workflow {name} is not found.")
    return json.loads(path.read_text())


def keep(name: str, state: dict[str, Any]) -> None:
    path = ROOT / "workflows" / name / "state.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(state))
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())

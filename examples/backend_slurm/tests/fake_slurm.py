"""A Slurm of one machine, for tests: `srun`, `sbatch`, `squeue`, `scancel`, `scontrol requeue`.

It schedules nothing, but what it starts is real: a daemon (`slurmd`) runs batch scripts and the
tasks of steps, outside of the client's process tree and with the client's variables, as Slurm does;
arrays and requeues are what they are. All that it knows lies below $FAKE_SLURM:

    requests/<id>    what a client wants, and what came of it: <id>.out, <id>.err, <id>.ended
    <job>/slurm_script, out   the spooled script, and what it wrote
    <job>/lives               while it is not over; holds the first id of its array
    <job>/groups, steps       its process groups; one byte for each step
    <job>/requeue             it is to begin again
    hold                      while this is there, no script begins

Names of variables and messages are those of sbatch(1) and srun(1), "OUTPUT ENVIRONMENT VARIABLES".
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

STATE = Path(os.environ.get("FAKE_SLURM", os.devnull))
REQUESTS = STATE / "requests"


# --- the clients ---------------------------------------------------------------------------------


def srun(words: list[str]) -> int:
    parser = options()
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    name = given.job_name or Path(command[0]).name
    ended = ask(given, job=os.environ.get("SLURM_JOB_ID"), command=command, name=name)
    for rank, code in enumerate(ended["codes"]):
        if code:
            how = "exited with exit code" if code > 0 else "killed by signal"
            sys.stderr.write(f"srun: error: node: task {rank}: {how} {abs(code)}\n")
    return max(map(exit_code, ended["codes"]))


def sbatch(words: list[str]) -> int:
    parser = options()
    parser.add_argument("--wait", "-W", action="store_true")
    parser.add_argument("--parsable", action="store_true")
    parser.add_argument("--array", "-a", default="")
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    try:
        script = Path(given.script).read_text()
    except OSError:
        sys.stderr.write(f"sbatch: error: Unable to open file {given.script}\n")
        return 1
    if not script.startswith("#!"):
        sys.stderr.write("sbatch: error: This does not look like a batch script.\n")
        return 1
    for line in script.splitlines():
        if line.strip() and not line.startswith("#"):
            break  # directives end before the first line that is no comment
        if line.startswith("#SBATCH --array="):
            given.array = line.partition("=")[2]
    name = given.job_name or Path(given.script).name
    jobs = ask(given, script=script, arguments=given.arguments, array=given.array, name=name)[
        "jobs"
    ]
    sys.stdout.write(f"{jobs[0]}\n" if given.parsable else f"Submitted batch job {jobs[0]}\n")
    sys.stdout.flush()
    if not given.wait:
        return 0
    return max(int(appeared(STATE / job / "code").read_text()) for job in jobs)


def squeue(words: list[str]) -> int:
    assert words == ["--me", "--noheader", "--format=%F"]
    for lives in STATE.glob("*/lives"):
        with suppress(FileNotFoundError):
            sys.stdout.write(f"{lives.read_text()}\n")
    return 0


def scancel(words: list[str]) -> int:
    """TERM to all processes of a job, and a moment later KILL to what is left."""
    [job] = words
    for number in (signal.SIGTERM, signal.SIGKILL):
        kill(job, number)
        deadline = time.monotonic() + 5
        while kill(job, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
    return 0


def scontrol(words: list[str]) -> int:
    """`requeue ID`, as after the failure of a node: all its processes die at once."""
    requeue, job = words
    assert requeue == "requeue"
    (STATE / job / "requeue").touch()
    kill(job, signal.SIGKILL)
    return 0


def options() -> argparse.ArgumentParser:
    """The options that both clients know here."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--ntasks", "-n", type=int, default=1)
    parser.add_argument("--job-name", "-J", default="")
    parser.add_argument("--export", default="ALL")
    parser.add_argument("--overlap", action="store_true")
    return parser


def ask(given: argparse.Namespace, **wanted: Any) -> Any:
    """Have the daemon do something; its answer. What it wrote is copied to our streams."""
    request = REQUESTS / uuid.uuid4().hex
    # SLURM_* pass in any case.
    kept = {k: v for k, v in os.environ.items() if given.export == "ALL" or k[:6] == "SLURM_"}
    told = {"environ": kept, "cwd": str(Path.cwd()), "ntasks": given.ntasks, **wanted}
    write(request, json.dumps(told))
    answer = json.loads(appeared(request.with_suffix(".ended")).read_text())
    for suffix, stream in ((".out", sys.stdout.buffer), (".err", sys.stderr.buffer)):
        with suppress(FileNotFoundError):
            stream.write(request.with_suffix(suffix).read_bytes())
            stream.flush()
    return answer


# --- the daemon ----------------------------------------------------------------------------------


def slurmd(words: list[str]) -> int:
    """Do what is asked, until this process is killed."""
    REQUESTS.mkdir(parents=True)
    while True:
        for request in [path for path in REQUESTS.iterdir() if not path.suffix]:
            wanted = json.loads(request.read_text())
            request.unlink()
            # Another machine has the same files, but not the journal of the client's run.
            wanted["environ"].pop("ROAR_TRACE", None)
            serve = run_script if "script" in wanted else run_step
            threading.Thread(target=serve, args=(request, wanted), daemon=True).start()
        time.sleep(0.005)


def run_step(request: Path, wanted: dict[str, Any]) -> None:
    """Run the tasks of a step at once, in a job of their own when they have none."""
    job = wanted["job"] or new_job().name
    if not wanted["job"]:
        write(STATE / job / "lives", job)
    with (STATE / job / "steps").open("ab") as steps:
        steps.write(b".")
        step = steps.tell() - 1
    told = {"SLURM_JOB_ID": job, "SLURM_STEP_ID": str(step), "SLURM_JOB_NAME": wanted["name"]}
    with (
        request.with_suffix(".out").open("ab") as out,
        request.with_suffix(".err").open("ab") as err,
    ):
        tasks = [
            start(job, wanted["command"], wanted, {**told, "SLURM_PROCID": str(rank)}, out, err)
            for rank in range(wanted["ntasks"])
        ]
        codes = [task.wait() for task in tasks]
    if not wanted["job"]:
        (STATE / job / "lives").unlink()
    write(request.with_suffix(".ended"), json.dumps({"codes": codes}))


def run_script(request: Path, wanted: dict[str, Any]) -> None:
    """Spool a batch script and begin all jobs of its array."""
    first, _, last = wanted["array"].partition("-")
    elements = range(int(first), int(last or first) + 1) if first else [None]
    jobs = [new_job() for _ in elements]
    for job, element in zip(jobs, elements, strict=True):
        (job / "slurm_script").write_text(wanted["script"])
        (job / "slurm_script").chmod(0o700)
        write(job / "lives", jobs[0].name)
        told = {"SLURM_JOB_ID": job.name, "SLURM_JOB_NAME": wanted["name"], "SLURM_PROCID": "0"}
        if element is not None:
            told |= {"SLURM_ARRAY_JOB_ID": jobs[0].name, "SLURM_ARRAY_TASK_ID": str(element)}
        threading.Thread(target=run_job, args=(job, wanted, told), daemon=True).start()
    write(request.with_suffix(".ended"), json.dumps({"jobs": [job.name for job in jobs]}))


def run_job(job: Path, wanted: dict[str, Any], told: dict[str, str]) -> None:
    """Run a spooled script, again while it is requeued."""
    restarts = code = 0
    while not restarts or (job / "requeue").exists():
        (job / "requeue").unlink(missing_ok=True)
        while (STATE / "hold").exists():
            time.sleep(0.005)
        if restarts:
            told["SLURM_RESTART_COUNT"] = str(restarts)
        (job / "steps").unlink(missing_ok=True)  # they are numbered from 0 again
        with (job / "out").open("ab") as out:
            command = [str(job / "slurm_script"), *wanted["arguments"]]
            code = exit_code(start(job.name, command, wanted, told, out, out).wait())
        restarts += 1
    (job / "lives").unlink()
    write(job / "code", str(code))


def start(
    job: str, command: Sequence[str], wanted: Any, told: dict[str, str], out: Any, err: Any
) -> subprocess.Popen[bytes]:
    """A task of a job, in a process group of its own."""
    environ = {"PATH": os.defpath, **wanted["environ"], **told}
    null, cwd = subprocess.DEVNULL, wanted["cwd"]
    task = subprocess.Popen(
        command, env=environ, cwd=cwd, stdin=null, stdout=out, stderr=err, start_new_session=True
    )
    with (STATE / job / "groups").open("a") as groups:
        groups.write(f"{task.pid}\n")
    return task


def new_job() -> Path:
    """The folder of a job; its name is the id."""
    number = 1
    while True:
        with suppress(FileExistsError):
            (folder := STATE / str(number)).mkdir(parents=True)
            return folder
        number += 1


# --- for both ------------------------------------------------------------------------------------


def kill(job: str, number: int) -> bool:
    """Send a signal to all processes of a job; whether there are any."""
    is_any = False
    for group in (STATE / job / "groups").read_text().split():
        with suppress(ProcessLookupError):
            os.killpg(int(group), number)
            is_any = True
    return is_any


def exit_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def appeared(path: Path) -> Path:
    """A file, once it is there."""
    while not path.exists():
        time.sleep(0.005)
    return path


def write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.rename(path)


CLIENTS: dict[str, Callable[[list[str]], int]] = {
    client.__name__: client for client in (srun, sbatch, squeue, scancel, scontrol, slurmd)
}


def install(folder: Path) -> None:
    """Put the clients into a folder that is to be on PATH."""
    folder.mkdir()
    python = shutil.which(sys.executable)
    for name in CLIENTS:
        (folder / name).write_text(f'#!/bin/sh\nexec {python} {__file__} {name} "$@"\n')
        (folder / name).chmod(0o755)


if __name__ == "__main__":
    sys.exit(CLIENTS[sys.argv[1]](sys.argv[2:]))

"""`srun …` and `sbatch …` with what they start observed; `step …` and `batch …` observe it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from roar_backend_slurm import PROJECT, REPORT, US

# Options that take no word after them: of all others srun(1) and sbatch(1) take one.
FLAGS = set(
    "async bcast contiguous disable-status exact exclusive external get-user-env help hold"
    " ignore-pbs immediate interactive kill-on-bad-exit label multi-prog nice no-allocate no-kill"
    " no-requeue overcommit overlap oversubscribe parsable preserve-env propagate pty quiet reboot"
    " requeue send-libs spread-job stepmgr test-only unbuffered usage use-min-nodes verbose version"
    " wait-for-children whole x11".split()
)
LETTERS = {"srun": "EHIKOQVXZhklsuv", "sbatch": "HIOQVWhksv"}
# A node without this Python runs what it was given, unobserved.
STEP = ("/bin/sh", "-c", 'if [ -x "$0" ]; then exec "$0" -m roar_backend_slurm step "$@"; fi; exec "$@"')
BATCH = (
    f'[ "$ROAR_SLURM_SEEN" = "$SLURM_JOB_ID.$SLURM_RESTART_COUNT" ] || [ ! -x {shlex.quote(US[0])} ]'
    ' || ROAR_SLURM_SEEN="$SLURM_JOB_ID.$SLURM_RESTART_COUNT"'
    f' exec {shlex.join(US)} batch "$0" "$@"\n'
)
# Its own comments, with their #SBATCH, must come first; csh and others cannot read our line.
SHELL_SCRIPT = re.compile(rb"#!.*\b(?:ba|da|k|z)?sh\b.*\n(?:[ \t]*(?:#.*)?\n)*")


def main(client: str, *words: str) -> int:
    """Observe a step or a batch script; or become `client`, so that what it starts is observed."""
    if client in ("step", "batch"):
        return observe(client, words)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    search = os.environ["PATH"].replace(f"{os.environ[REPORT]}/bin{os.pathsep}", "")
    program = shutil.which(client, path=search) or client
    at = place_of_command(Path(client).name, words)
    if Path(client).name == "sbatch":
        return submit(program, list(words), at)
    if at < len(words) and "--multi-prog" not in words[:at] and shutil.which(words[at]):
        words = (*words[:at], *STEP, US[0], *words[at:])
    os.execv(program, [client, *words])


def place_of_command(client: str, words: tuple[str, ...]) -> int:
    """Which word is the program or script, after the client's own options."""
    at = 0
    while at < len(words) and len(word := words[at]) > 1 and word[0] == "-":
        at += 1
        if word == "--":
            break
        if word[1] == "-":
            flags = FLAGS | {"wait"} if client == "sbatch" else FLAGS
            takes_next = "=" not in word and word[2:] not in flags
        else:
            takes_next = not word[1:].rstrip(LETTERS[client])[1:] and word[-1] not in LETTERS[client]
        at += takes_next
    return at


def submit(program: str, words: list[str], at: int) -> int:
    """Submit a batch script with one line more, by which it goes on under observation."""
    given = None
    with tempfile.TemporaryDirectory() as folder:
        wrapped = [n for n, word in enumerate(words[:at]) if re.match("--wrap(=|$)", word)]
        for n in wrapped:
            name, _, line = words[n].partition("=")
            words[n : n + 1 if line else n + 2] = [f"{name}={BATCH}{line or words[n + 1]}"]
        if at < len(words) and not wrapped and Path(words[at]).is_file():
            draft = Path(folder, Path(words[at]).name)
            draft.write_bytes(observed(Path(words[at]).read_bytes()))
            words[at] = str(draft)
        elif at >= len(words) and not wrapped:
            given = observed(sys.stdin.buffer.read())
        pipe = subprocess.PIPE
        with subprocess.Popen([program, *words], stdin=given and pipe, stdout=pipe) as process:
            if given is not None and process.stdin is not None:
                process.stdin.write(given)
                process.stdin.close()
            for line in process.stdout or ():
                if job := re.search(rb"\d+", line):
                    submitted = Path(os.environ[REPORT], "submitted", job[0].decode())
                    submitted.parent.mkdir(exist_ok=True)
                    submitted.touch()
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
    return process.returncode


def observed(script: bytes) -> bytes:
    """A script with our line where its own begin; one that no shell reads as it is."""
    head = SHELL_SCRIPT.match(script)
    return script if head is None else head[0] + BATCH.encode() + script[head.end() :]


def observe(kind: str, command: tuple[str, ...]) -> int:
    """Run the command as this process of its job would, and report what it did."""
    from roar_core.fragments import Attempt
    from roar_core.reports import Reports

    told = os.environ.get
    job, step, rank = told("SLURM_JOB_ID"), told("SLURM_STEP_ID"), told("SLURM_PROCID", "0")
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{told('SLURM_ARRAY_JOB_ID')}_{told('SLURM_ARRAY_TASK_ID')}"
    attempt = Attempt(
        task=f"{job}.{'batch' if kind == 'batch' else step}.{rank}",
        command=command,
        project=os.environ[PROJECT],
        name=told("SLURM_JOB_NAME", "") if kind == "batch" else "",
        number=int(told("SLURM_RESTART_COUNT", "0")) + 1,
    )
    return Reports(Path(os.environ[REPORT])).run(attempt)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""`srun …` and `sbatch …` so that what they start is observed; `step …` and `batch …` observe.

A program of its own: it runs inside of the user's commands, so it imports nothing it need not.
"""

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

from roar_core.reports import Reports
from roar_core.standing_in import forget_own_locale

US = (sys.executable, "-P", __file__)
FRONT = "slurm-of-roar"  # the folders in front of PATH: one for each run that this is inside of
# The options of srun(1) and sbatch(1) that take no word after them: all others do.
LETTERS = {"srun": "EHIKOQVXZhklsuv", "sbatch": "HIKOQVWhksv"}
FLAGS = (
    " async bcast contiguous disable-status exact exclusive external get-user-env help hold"
    " ignore-pbs immediate interactive kill-on-bad-exit label multi-prog nice no-allocate no-kill"
    " no-requeue overcommit overlap oversubscribe parsable preserve-env propagate pty quiet reboot"
    " requeue send-libs spread-job stepmgr test-only unbuffered usage use-min-nodes verbose version"
    " whole x11 "
)
# A node without this Python and file runs what it was given, unobserved. `sh -eu` fails by none.
STEP = f'[ -x "$1" ] && [ -r "$3" ] || shift {len(US) + 3}; exec "$@"'
BATCH = """[ "${ROAR_SLURM_SEEN-}" = "$SLURM_JOB_ID.${SLURM_RESTART_COUNT-}" ] || [ ! -x %s ] || \
[ ! -r %s ] || ROAR_SLURM_SEEN="$SLURM_JOB_ID.${SLURM_RESTART_COUNT-}" exec %s "$0" "$@"\n"""
# Our line comes after the script's first comments, among which Slurm looks for its #SBATCH.
SHELL_SCRIPT = re.compile(rb"#!.*\b(ba|da|k|z)?sh([ \t\r].*)?\n([ \t]*(#.*)?\n)*")


def main(folder: str, project: str, client: str, *words: str) -> int:
    """Be the client, or the observer of what it starts; the exit status is the command's."""
    if client in ("step", "batch"):
        return observe(folder, project, client, words)
    forget_own_locale()
    os.environ.update(Reports(Path(folder)).variables(Path(project)))
    search = re.sub(f"[^:]*/{FRONT}(:|$)", "", os.environ.get("PATH", os.defpath))
    program, name = shutil.which(client, path=search) or client, Path(client).name
    at = place_of_command(name, words)
    if name == "sbatch":
        return submit(program, words, at, (*US, folder, project, "batch"))
    if "--multi-prog" not in words[:at] and shutil.which(words[at] if words[at:] else ""):
        step = ("/bin/sh", "-c", STEP, "sh", *US, folder, project, "step")
        words = (*words[:at], *step, *words[at:])
    return os.execv(program, [client, *words])  # noqa: S606


def place_of_command(client: str, words: tuple[str, ...]) -> int:
    """Which word is the program or script, after the client's own options."""
    at, flags = 0, FLAGS + "wait " * (client == "sbatch")
    while at < len(words) and words[at - 1 : at] != ("--",) and re.match("-.", word := words[at]):
        at += 1
        if word.startswith("--"):
            at += word != "--" and "=" not in word and f" {word[2:]}" not in flags
        else:
            at += re.fullmatch(f"-[{LETTERS[client]}]*[^{LETTERS[client]}\\d]", word) is not None
    return at


def submit(program: str, words: tuple[str, ...], at: int, batch: tuple[str, ...]) -> int:
    """Submit a script with a line more, by which it goes on under observation; note its job."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with tempfile.TemporaryDirectory() as folder:
        is_there = at < len(words) and Path(words[at]).is_file()
        script = Path(words[at]).read_bytes() if is_there else b""
        if head := SHELL_SCRIPT.match(script):
            draft = Path(folder, Path(words[at]).name)  # after which Slurm names the job
            line = BATCH % (shlex.quote(batch[0]), shlex.quote(batch[2]), shlex.join(batch))
            draft.write_bytes(head[0] + line.encode() + script[head.end() :])
            words = (*words[:at], str(draft), *words[at + 1 :])
        with subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                if job := re.match(r"(?:Submitted batch job )?(\d+)", line):
                    Reports(Path(batch[len(US)])).expect(job[1])
                sys.stdout.write(line)
                sys.stdout.flush()
    return process.returncode


def observe(folder: str, project: str, kind: str, command: tuple[str, ...]) -> int:
    """Run the command in this process's place, as a task of its job."""
    from roar_core.fragments import Attempt

    told = os.environ.get
    job, step = told("SLURM_JOB_ID"), told("SLURM_STEP_ID") if kind == "step" else kind
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{told('SLURM_ARRAY_JOB_ID')}_{told('SLURM_ARRAY_TASK_ID')}"
    attempt = Attempt(
        task=f"{job}.{step}.{told('SLURM_PROCID', '0')}",
        command=command,
        project=project,
        name=told("SLURM_JOB_NAME", kind) if kind == "batch" else "",
        number=int(told("SLURM_RESTART_COUNT", "0")) + 1,
    )
    return Reports(Path(folder)).run(attempt)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""The system-call tracer: a seccomp filter sends the calls of interest to a helper.

Needs no privileges and sees every program, static, Go and 32-bit ones too. Reads, writes and
computing run at full speed; what opens, names and starts costs a switch of process. native/ says
how it works, docs/adr/0007 why so.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from roar_core.errors import TracerError
from roar_core.hookspecs import LaunchPlan, Preflight, Tracer, TracerAbilities, hookimpl
from roar_core.model.coverage import CoverageReason

roar_api_version = 1

STARTER = Path(__file__).parent / "_native" / "roar-ptrace"

_REBUILD = "pip install ./plugins/tracer_ptrace"
_MACHINES = ("x86_64", "aarch64")
# SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV came with 5.19: before, a signal has calls made twice.
_OLDEST_KERNEL = (5, 19)
_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_CAP_SYS_PTRACE = 19  # capabilities(7)
# native/helper.c: its number if it is about to end, and whether somebody is left.
_ANSWER = struct.Struct("=2i")
# A helper that is asked answers within a fifth of a second, unless the machine is out of breath.
_PATIENCE_S = 10.0


class PtraceLaunch:
    """The command with the starter in front, and roar's end of the socket to the helper."""

    def __init__(self, plan: LaunchPlan, starter: Path) -> None:
        import socket

        self._ours, self._theirs = socket.socketpair()
        self._answers = True
        self.argv: tuple[bytes, ...] = (
            *(os.fsencode(starter), b"--journal", os.fsencode(plan.journal)),
            *(b"--control", str(self._theirs.fileno()).encode()),
            *(b"--", plan.spelling, *plan.argv),
        )
        self.environ: Mapping[bytes, bytes] = plan.environ
        self.pass_fds: tuple[int, ...] = (self._theirs.fileno(),)

    def started(self, pid: int) -> None:
        """The command's process has its end of the socket; ours of it would hide the helper's."""
        self._theirs.close()

    def catch_up(self) -> bool:
        """The helper writes while a process waits; one that has called nothing yet it cannot name.

        `finished` says why it does not answer.
        """
        answer = self._ask()
        return answer is not None and answer[1]

    def finished(self) -> Sequence[CoverageReason]:
        """Wait until the helper has written everything, and hear whether somebody is left."""
        self._theirs.close()
        try:
            answer = self._ask()
        finally:
            self._ours.close()
        if answer is None:
            return (CoverageReason("tracer", 1, "the ptrace helper ended before the command"),)
        helper, somebody_is_left = answer
        if helper:
            _reap(helper)
        if somebody_is_left:
            return (CoverageReason("outlived", 1, "still running when recorded"),)
        return ()

    def _ask(self) -> tuple[int, bool] | None:
        """The helper's number if it is about to end, and whether somebody is left unnamed.

        None when it does not answer; then it is asked no more, lest a late answer be taken for
        another one's.
        """
        if not self._answers:
            return None
        try:
            self._ours.settimeout(_PATIENCE_S)
            self._ours.sendall(b"?")
            answer = self._ours.recv(_ANSWER.size)
        except OSError:
            answer = b""
        self._answers = len(answer) == _ANSWER.size
        if not self._answers:
            return None
        helper, somebody_is_left = _ANSWER.unpack(answer)
        return helper, bool(somebody_is_left)


class PtraceTracer:
    """Seccomp user notification. `successor` is the starter, which needs nothing of roar."""

    name = "ptrace"
    priority = 30
    abilities = TracerAbilities(
        sees_io_uring=False,
        cost="10 x on opening files, 1.1 x on other system calls, nothing on computing",
    )

    def __init__(self, successor: Path = STARTER) -> None:
        self.successor = successor

    def preflight(self) -> Preflight:
        """Look at the kernel and at our starter; starts nothing."""
        system = os.uname()
        release = system.release.split("-")[0]
        checks = (
            ("system", system.sysname == "Linux", system.sysname),
            ("machine", system.machine in _MACHINES, system.machine),
            ("kernel", _version(release) >= _OLDEST_KERNEL, release),
            ("seccomp notification", *_has_notification()),
            ("reading other processes", *_may_read()),
            ("starter", os.access(self.successor, os.X_OK), str(self.successor)),
        )
        for what, passed, detail in checks:
            if not passed:
                return Preflight(False, *_problem(what, detail), checks)
        return Preflight(ok=True, checks=checks)

    def launch(self, plan: LaunchPlan) -> PtraceLaunch:
        """Put the starter in front of the command; it becomes the command in the same process."""
        if not plan.journal.is_absolute():
            raise TracerError(f"ptrace needs an absolute journal path, not {plan.journal}")
        return PtraceLaunch(plan, self.successor)


def _reap(helper: int) -> None:
    """It is our child, and ends now that nobody can ask any more."""
    try:
        os.waitpid(helper, 0)
    except ChildProcessError:  # whoever started us ignores SIGCHLD, or is its parent
        return


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".")[:2] if part.isdigit())


def _has_notification() -> tuple[bool, str]:
    try:
        actions = _ACTIONS.read_text()
    except OSError:
        return False, f"{_ACTIONS} cannot be read"
    return "user_notif" in actions.split(), actions.strip()


def _may_read() -> tuple[bool, str]:
    """Yama lets a process read only its own descendants, and a helper has none."""
    try:
        scope = int(_YAMA.read_text())
    except (OSError, ValueError):
        return True, "not restricted"
    if scope == 0:
        return True, f"{_YAMA} is 0"
    return scope < 3 and _has_capability(_CAP_SYS_PTRACE), f"{_YAMA} is {scope}"


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _problem(what: str, detail: str) -> tuple[str, str]:
    match what:
        case "kernel":
            return f"ptrace needs Linux 5.19 or newer, this is {detail}", "use --tracer preload"
        case "seccomp notification":
            return (
                f"the kernel offers no seccomp notification: {detail}",
                "run where seccomp is not restricted, or use --tracer preload",
            )
        case "reading other processes":
            return (
                f"other processes may not be read: {detail}",
                "as root: sysctl kernel.yama.ptrace_scope=0, or use --tracer preload",
            )
        case "starter":
            return f"{detail} is missing or not executable", _REBUILD
    return f"ptrace works on Linux x86-64 and aarch64, not {detail}", ""


@hookimpl
def roar_tracers() -> Iterable[Tracer]:
    """Offer the one tracer."""
    return (PtraceTracer(),)


@hookimpl
def roar_capabilities() -> Mapping[str, bool]:
    """Whether system calls can be observed here."""
    return {"ptrace": PtraceTracer().preflight().ok}

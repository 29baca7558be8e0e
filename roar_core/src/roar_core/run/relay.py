"""Wait for the command while every signal meant for it reaches it exactly once.

roar and the command share a process group, so what a terminal sends (Ctrl-C, Ctrl-\\, Ctrl-Z)
reaches both; such a signal has `si_code` SI_KERNEL and is not passed on. One sent to roar alone is.
When the command stops itself, roar stops too, so that the shell's job control sees one job.
"""

from __future__ import annotations

import os
import signal
from types import TracebackType
from typing import NamedTuple

SI_KERNEL = (
    0x80  # <asm-generic/siginfo.h>: sent by the kernel, here by the terminal's line discipline
)

_RELAYED = frozenset(
    {
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGTSTP,
        signal.SIGCONT,
    }
)
# What nothing but the relay may receive while a command runs.
WAITED = _RELAYED | {signal.SIGCHLD}
# A command stopped by SIGSTOP was stopped from outside and will be continued alone.
_MIRRORED_STOPS = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


class Ended(NamedTuple):
    """How the command ended: an exit code, or the signal that killed it."""

    status: int

    @property
    def exit_code(self) -> int | None:
        return os.waitstatus_to_exitcode(self.status) if os.WIFEXITED(self.status) else None

    @property
    def signal(self) -> str | None:
        """Such as `SIGTERM`; real-time signals have no name but their distance from SIGRTMIN."""
        if not os.WIFSIGNALED(self.status):
            return None
        number = os.WTERMSIG(self.status)
        try:
            return signal.Signals(number).name
        except ValueError:
            return f"SIGRTMIN+{number - signal.SIGRTMIN}"


class SignalRelay:
    """Blocks the relayed signals from before the command starts until it has ended.

    Threads started inside inherit the blocked mask, so only `wait` ever receives them. `mask` is
    the mask the command must be given: the one roar itself was started with.
    """

    def __enter__(self) -> SignalRelay:
        # An inherited SIG_IGN for SIGCHLD would make the kernel reap the command behind our back.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, WAITED)
        self.mask = frozenset(signal.Signals(number) for number in before)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What is still pending was meant for a command that is gone.
        while signal.sigtimedwait(WAITED, 0) is not None:
            continue
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)

    def wait(self, child: int) -> Ended:
        """Relay signals until `child` has ended, and reap it."""
        while True:
            info = signal.sigwaitinfo(WAITED)
            if info.si_signo == signal.SIGCHLD:
                status = _reap(child)
                if status is not None:
                    return Ended(status)
            elif info.si_signo == signal.SIGCONT:
                if _is_stopped(child):
                    _send(child, signal.SIGCONT)
            elif info.si_code != SI_KERNEL:
                _send(child, info.si_signo)


def die_like(ended: Ended) -> int:
    """Return the command's exit code, or die of the signal that killed it."""
    if ended.exit_code is not None:
        return ended.exit_code
    import resource

    number = os.WTERMSIG(ended.status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command's own core is the one to keep
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number


def _reap(child: int) -> int | None:
    while True:
        pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if not os.WIFSTOPPED(status):
            return status
        if os.WSTOPSIG(status) in _MIRRORED_STOPS:
            os.kill(os.getpid(), signal.SIGSTOP)


def _is_stopped(child: int) -> bool:
    try:
        with open(f"/proc/{child}/stat", "rb") as stat:  # noqa: PTH123 - hot enough, plain enough
            return stat.read().rpartition(b")")[2].split()[0] == b"T"
    except OSError:
        return False


def _send(child: int, number: int) -> None:
    # The child is ours and not yet reaped, so the pid cannot have become another process.
    os.kill(child, number)

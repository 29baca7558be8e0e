"""The eBPF tracer: watches from the kernel, for root, or through a small daemon of root's (roard).

Sees every program, static ones and those that avoid the C library included, and costs the command
next to nothing. The collector in roard/ runs under the system's interpreter, the only one that has
bcc; this side starts the command so that it is observed, and asks for the end of the story.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from roar_core.errors import TracerError
from roar_core.hookspecs import (
    ConfigKey,
    ConfigSection,
    LaunchPlan,
    Preflight,
    Tracer,
    TracerAbilities,
    hookimpl,
)
from roar_core.model.coverage import CoverageReason
from roar_tracer_ebpf.client import Collector
from roar_tracer_ebpf.own import OwnCollector
from roar_tracer_ebpf.roard import VERSION

roar_api_version = 1

STARTER = Path(__file__).parent / "_native" / "roar-ebpf-start"
SOCKET = "/run/roar/roard.sock"
_REBUILD = "pip install ./plugins/tracer_ebpf"
# A loaded collector goes before every other tracer; one that would have to be loaded, after them.
_LOADED, _UNLOADED = 10, 40
# How long the collector may work on what it has not told yet.
_PATIENCE_S, _IMPATIENCE_S = 30, 1


class EbpfLaunch:
    """The command behind the starter, and the collector that knows how it went."""

    pass_fds: tuple[int, ...] = ()

    def __init__(
        self, plan: LaunchPlan, collector: Collector, own: OwnCollector | None, starter: Path
    ) -> None:
        self.argv: tuple[bytes, ...] = (
            os.fsencode(starter),
            os.fsencode(collector.path),
            os.fsencode(plan.journal),
            plan.run_uid.encode(),
            VERSION.encode(),
            plan.spelling,
            *plan.argv,
        )
        self.environ: Mapping[bytes, bytes] = plan.environ
        self._uid = plan.run_uid
        self._collector = collector
        self._own = own
        self._answers = True

    def started(self, pid: int) -> None:
        """Nothing to do: the process has asked for itself before it became the command."""

    def catch_up(self) -> bool:
        """Have the collector write what the kernel has told it; `finished` says why it cannot."""
        self._answers &= not self._ask("catch-up")
        return False

    def finished(self) -> Sequence[CoverageReason]:
        """Have the collector write the rest; say so when it could not observe the command."""
        try:
            problem = self._ask("finish")
        finally:
            if self._own is not None:
                self._own.let_go()
        return (CoverageReason("tracer", 1, f"ebpf: {problem}"),) if problem else ()

    def _ask(self, request: str) -> str:
        """One that did not answer is not waited for a second time."""
        patience_s = _PATIENCE_S if self._answers else _IMPATIENCE_S
        return self._collector.ask(f"{request} {self._uid}", patience_s=patience_s)


class EbpfTracer:
    """eBPF. `socket` is where the daemon listens, `starter` what goes before the command."""

    name = "ebpf"
    # What a setuid program opens is not for the eyes of the user who started it, but for root's.
    abilities = TracerAbilities(
        holds_writers=False,
        sees_setuid=os.geteuid() == 0,
        sees_foreign_abi=False,
        needs_privileges=True,
        tells_again=False,  # the kernel leaves out what it has told
        cost="1.4 x on opening files, 1.1 x on writing, nothing on computing",
    )

    def __init__(self, socket: str | None = None, starter: Path = STARTER) -> None:
        self.socket = socket or os.environ.get("ROAR_EBPF_SOCKET") or SOCKET
        self.starter = starter

    @cached_property
    def priority(self) -> int:
        """First where the collector is loaded, else behind those that need no loading."""
        return _LOADED if self._daemon_problem() == "" else _UNLOADED

    def _daemon_problem(self) -> str | None:
        """Why the daemon cannot be used, empty when it can; None when there is none."""
        if not os.path.exists(self.socket):  # noqa: PTH110 - start-up
            return None
        return Collector(self.socket).ask("ping", patience_s=0.05)

    def preflight(self) -> Preflight:
        """Ask the daemon; without one, look at what a collector of root's own needs."""
        from roar_tracer_ebpf.preflight import look

        return look(self.socket, self._daemon_problem(), self.starter, _REBUILD)

    def launch(self, plan: LaunchPlan) -> EbpfLaunch:
        """Put the starter in front; as root without a daemon, load a collector for this run.

        Raises TracerError when that collector cannot be loaded.
        """
        if not self.starter.is_file():
            raise TracerError(f"{self.starter} is missing; {_REBUILD}")
        if self._daemon_problem() == "":
            return EbpfLaunch(plan, Collector(self.socket), None, self.starter)
        own = OwnCollector.start()
        return EbpfLaunch(plan, Collector(own.socket), own, self.starter)

    def enable(self, settings: Mapping[str, object]) -> str:
        """Install and start the daemon; return what was done. Raises TracerError."""
        from roar_tracer_ebpf.enabling import Places, enable

        return enable(Places(socket=self.socket), group=str(settings.get("group") or ""))

    def disable(self) -> str:
        """Undo `enable`; return what was done. Raises TracerError."""
        from roar_tracer_ebpf.enabling import Places, disable

        return disable(Places(socket=self.socket))


@hookimpl
def roar_tracers() -> Iterable[Tracer]:
    """Offer the one tracer."""
    return (EbpfTracer(),)  # type: ignore[return-value]  # its priority is a property


@hookimpl
def roar_capabilities() -> Mapping[str, bool]:
    """Whether this kernel and user can load eBPF programs."""
    return {"ebpf": EbpfTracer().preflight().ok}


@hookimpl
def roar_config_sections() -> Iterable[ConfigSection]:
    """The one setting of the daemon."""
    key = ConfigKey(
        name="group",
        default="",
        help="The group whose members may use the daemon; empty: everybody.",
    )
    words = "The eBPF tracer's daemon."
    return (ConfigSection("ebpf", (key,), words, variables=("ROAR_EBPF_SOCKET",)),)

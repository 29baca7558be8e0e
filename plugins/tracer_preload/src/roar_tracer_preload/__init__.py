"""The preload tracer: a small C library that the dynamic loader puts into every program of a run.

Needs no privileges and costs almost nothing. What it cannot enter (static programs, setuid ones,
other C libraries) it names in the journal as a gap; native/ says how it works.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from roar_core.errors import TracerError
from roar_core.hookspecs import LaunchPlan, Preflight, Tracer, TracerAbilities, hookimpl
from roar_core.model.coverage import CoverageReason

roar_api_version = 1

LIBRARY = Path(__file__).parent / "_native" / "libroar_preload.so"

_REBUILD = "pip install ./plugins/tracer_preload"
# native/journal.c keeps the path in a buffer of this size; it is also the kernel's PATH_MAX.
_JOURNAL_PATH_MAX = 4095
# ld.so(8) separates the names in LD_PRELOAD by these and knows no quoting.
_SEPARATORS = b": "
# The first digit of ROAR_TRACE; native/journal.h.
_FIRST_PROGRAM = b"1"


@attrs.define
class PreloadLaunch:
    """The command as it was asked for, with two variables more.

    `gaps` says why the command's own program cannot be seen into. `outer` is the journal of a run
    around this one, which hears of the command through us alone: its variable had to give way.
    """

    argv: tuple[bytes, ...]
    environ: Mapping[bytes, bytes]
    pass_fds: tuple[int, ...] = ()
    gaps: tuple[CoverageReason, ...] = ()
    journal: Path | None = None
    outer: bytes = b""

    def started(self, pid: int) -> None:
        """Nothing to do: the library reports by itself."""

    def catch_up(self) -> bool:
        """Nothing is late: a process reports before it goes on, its children among the rest."""
        return False

    def finished(self) -> Sequence[CoverageReason]:
        """What no process of the run could tell: the program it began with."""
        if self.outer.startswith(b"/") and self.journal is not None:
            import os

            from roar_core.journal import hand_over

            try:
                hand_over(str(self.journal), os.fsdecode(self.outer))
            except OSError as error:
                raise TracerError(f"the run around this one misses it: {error}") from error
        return self.gaps


@attrs.define
class PreloadTracer:
    """LD_PRELOAD. `library` is the shared object to put into the command."""

    library: Path = LIBRARY
    name: str = "preload"
    priority: int = 20
    abilities: TracerAbilities = TracerAbilities(
        sees_static=False,
        sees_raw_syscalls=False,
        sees_setuid=False,
        sees_io_uring=False,
        sees_foreign_abi=False,
        cost="1.1 x on opening files, nothing on reading, writing and computing",
    )

    def preflight(self) -> Preflight:
        """Look at the system, the C library and our shared object; starts nothing."""
        import os

        system, machine = os.uname().sysname, os.uname().machine
        try:
            libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (ValueError, OSError):
            libc = ""
        raw_library = os.fsencode(self.library)
        checks = (
            ("system", system == "Linux", system),
            ("machine", machine in ("x86_64", "aarch64"), machine),
            ("C library", libc.startswith("glibc"), libc or "not glibc"),
            ("library", self.library.is_file(), str(self.library)),
            ("library path", not any(b in raw_library for b in _SEPARATORS), str(self.library)),
        )
        remedies = {
            "library": (f"{self.library} is missing", _REBUILD),
            "library path": (
                f"LD_PRELOAD cannot name {str(self.library)!r}: it has a space or a colon",
                f"install roar in a folder without them, then {_REBUILD}",
            ),
        }
        for what, passed, detail in checks:
            if not passed:
                reason, remedy = remedies.get(
                    what,
                    (f"preload works on Linux x86-64 and aarch64 with glibc, not {detail}", ""),
                )
                return Preflight(ok=False, reason=reason, remedy=remedy, checks=checks)
        return Preflight(ok=True, checks=checks)

    def launch(self, plan: LaunchPlan) -> PreloadLaunch:
        """Add our library behind the user's own in LD_PRELOAD, and ROAR_TRACE with the journal.

        A program that the library cannot enter is started by the plan's successor, if it has one.
        """
        import os

        journal = os.fsencode(plan.journal)
        if len(journal) > _JOURNAL_PATH_MAX or not journal.startswith(b"/"):
            raise TracerError(
                f"preload needs an absolute journal path of at most {_JOURNAL_PATH_MAX} bytes, "
                f"not {os.fsdecode(journal)!r}"
            )
        from roar_tracer_preload.programs import HANDED_OVER, KEEP_OUT, gap_of

        code = gap_of(plan.program)
        if code in HANDED_OVER and plan.successor:
            starter = (plan.successor, b"--journal", journal, b"--", plan.spelling)
            return PreloadLaunch((*starter, *plan.argv), plan.environ)
        gaps: tuple[CoverageReason, ...] = ()
        if code is not None:
            gaps = (CoverageReason(code, 1, os.fsdecode(plan.program)),)
            if code in KEEP_OUT:
                return PreloadLaunch(plan.argv, plan.environ, gaps=gaps)
        library = os.fsencode(self.library)
        theirs = plan.environ.get(b"LD_PRELOAD", b"")
        if library not in theirs.replace(b" ", b":").split(b":"):
            theirs = b":".join(filter(None, (theirs, library)))
        environ = {
            **plan.environ,
            b"LD_PRELOAD": theirs,
            b"ROAR_TRACE": _FIRST_PROGRAM + b":" + journal,
        }
        outer = plan.environ.get(b"ROAR_TRACE", b"").partition(b":")[2]
        return PreloadLaunch(plan.argv, environ, gaps=gaps, journal=plan.journal, outer=outer)


@hookimpl
def roar_tracers() -> Iterable[Tracer]:
    """Offer the one tracer."""
    return (PreloadTracer(),)


@hookimpl
def roar_capabilities() -> Mapping[str, bool]:
    """Whether commands can be observed by preloading here."""
    return {"preload": PreloadTracer().preflight().ok}

"""What roar relies on of a tracer before it launches anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from roar_core.hookspecs import Preflight, Tracer, TracerAbilities
from roar_core.promises.audit import started_processes
from roar_core.promises.promise import Complaint, promise


@promise("it is not called auto, which means the first that works")
def has_a_name_of_its_own(tracer: Tracer) -> Iterator[Complaint]:
    if tracer.name == "auto":
        yield Complaint("it is called 'auto'", "give it a name of its own")


@promise("its abilities are TracerAbilities")
def tells_its_abilities(tracer: Tracer) -> Iterator[Complaint]:
    if not isinstance(tracer.abilities, TracerAbilities):
        yield Complaint(
            f"its abilities are {tracer.abilities!r}", "give roar_core.hookspecs.TracerAbilities"
        )


@promise("preflight() starts no process")
def starts_no_process(tracer: Tracer) -> Iterator[Complaint]:
    with started_processes() as started:
        tracer.preflight()
    for what in started:
        yield Complaint(f"preflight() calls {what}", "every run asks: look at files, start nothing")


@promise("preflight() says why not and what to do, exactly when it says no; without a PATH too")
def explains_itself(tracer: Tracer) -> Iterator[Complaint]:
    unclear = list(_unclear(tracer.preflight()))
    if not unclear:
        with _bare_environment():
            unclear = list(_unclear(tracer.preflight()))
    yield from unclear


PROMISES = (
    has_a_name_of_its_own,
    tells_its_abilities,
    starts_no_process,
    explains_itself,
)


def _unclear(verdict: Preflight) -> Iterator[Complaint]:
    if not isinstance(verdict, Preflight):
        yield Complaint(f"preflight() returns {verdict!r}", "return roar_core.hookspecs.Preflight")
        return
    if verdict.ok and (verdict.reason or verdict.remedy):
        yield Complaint("preflight() says yes with a reason", "leave reason and remedy empty")
    if not verdict.ok and not (verdict.reason and verdict.remedy):
        yield Complaint(
            "preflight() says no without a reason or a remedy", "say why, and what to type"
        )
    if "\n" in verdict.reason + verdict.remedy:
        yield Complaint("preflight() says several lines", "say one; more belongs into checks")
    if any(len(check) != 3 for check in verdict.checks):
        yield Complaint("its checks are not (what, passed, detail)", "give three of each")
    elif verdict.ok and not all(passed for _, passed, _ in verdict.checks):
        yield Complaint("preflight() says yes after a check that failed", "say no, or let it pass")


@contextmanager
def _bare_environment() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in ("PATH", "HOME") if name in os.environ}
    os.environ["PATH"] = "/nonexistent"
    try:
        yield
    finally:
        del os.environ["PATH"]
        os.environ.update(kept)

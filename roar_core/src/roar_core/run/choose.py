"""Which tracer observes this run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from roar_core.discovery import PluginRef
from roar_core.errors import NoTracerError, PluginError
from roar_core.hookspecs import Preflight, Successor, Tracer
from roar_core.plugins import Tracers, call_object, tracers

NO_TRACER = (
    "no tracer is installed, so nothing can be recorded;"
    " from a checkout of roar: pip install ./plugins/tracer_preload"
)

T = TypeVar("T")


class ChosenTracer(NamedTuple):
    """The tracer of this run, the plugin to blame for it, and what goes on where it cannot enter.

    `successor` is the path of a `Successor`'s program, empty when there is none.
    """

    tracer: Tracer
    ref: PluginRef
    successor: bytes = b""

    def call(self, doing: str, function: Callable[..., T], *arguments: Any) -> T:
        """Call into the tracer; whatever it raises becomes a `PluginError` naming its plugin."""
        return call_object(self.ref, doing, function, *arguments)


def choose_tracer(name: str, fallback: bool, warn: Callable[[str], None]) -> ChosenTracer:
    """The tracer called `name`, or for `auto` the first whose preflight passes.

    Without `fallback` that must be the very first, and nothing takes over from it. `warn` gets a
    sentence for each plugin that failed. Raises `NoTracerError` when no tracer can be used; the
    sentence says what would make one usable.
    """
    found = tracers()
    for failure in found.failures:
        warn(str(failure))
    if name == "auto":
        chosen = _first_usable(found, found.usable if fallback else found.usable[:1], warn)
    else:
        chosen = _named(found, name)
    return chosen._replace(successor=_successor(found, chosen)) if fallback else chosen


def _named(found: Tracers, name: str) -> ChosenTracer:
    for tracer in found.usable:
        if tracer.name == name:
            verdict = _preflight(found, tracer)
            if verdict.ok:
                return ChosenTracer(tracer, found.refs[name])
            raise NoTracerError(f"tracer {name} cannot be used: {_why(verdict)}")
    if not found.usable:
        raise NoTracerError(NO_TRACER)
    known = ", ".join(tracer.name for tracer in found.usable)
    raise NoTracerError(f"there is no tracer {name!r}; installed: {known}; see: roar tracer")


def _successor(found: Tracers, chosen: ChosenTracer) -> bytes:
    """The program to execute in the place of one that the chosen tracer cannot enter."""
    if chosen.tracer.abilities.sees_static:
        return b""
    for tracer in found.usable:
        if tracer is chosen.tracer or not isinstance(tracer, Successor):
            continue
        try:
            if _preflight(found, tracer).ok:
                return os.fsencode(tracer.successor)
        except PluginError:  # told by `roar tracer`; this run is not its business
            continue
    return b""


def _first_usable(
    found: Tracers, candidates: Sequence[Tracer], warn: Callable[[str], None]
) -> ChosenTracer:
    reasons: list[str] = []
    for tracer in candidates:
        try:
            verdict = _preflight(found, tracer)
        except PluginError as error:
            warn(str(error))
            continue
        if verdict.ok:
            return ChosenTracer(tracer, found.refs[tracer.name])
        reasons.append(f"{tracer.name}: {_why(verdict)}")
    raise NoTracerError(_refusal(reasons))


def _refusal(reasons: Sequence[str]) -> str:
    if not reasons:
        return NO_TRACER
    return "no tracer can be used here: " + " · ".join(reasons)


def _preflight(found: Tracers, tracer: Tracer) -> Preflight:
    return call_object(found.refs[tracer.name], "its preflight", tracer.preflight)


def _why(verdict: Preflight) -> str:
    return f"{verdict.reason}; {verdict.remedy}" if verdict.remedy else verdict.reason

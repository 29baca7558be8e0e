"""Which tracer observes this run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from roar_core.discovery import PluginRef
from roar_core.errors import PluginError, RefusedError
from roar_core.hookspecs import Preflight, Tracer
from roar_core.plugins import Tracers, call_object, tracers

NO_TRACER = (
    "no tracer is installed, so nothing can be recorded;"
    " from a checkout of roar: pip install ./plugins/tracer_preload"
)

T = TypeVar("T")


class ChosenTracer(NamedTuple):
    """The tracer of this run, and the plugin to blame for it."""

    tracer: Tracer
    ref: PluginRef

    def call(self, doing: str, function: Callable[..., T], *arguments: Any) -> T:
        """Call into the tracer; whatever it raises becomes a `PluginError` naming its plugin."""
        return call_object(self.ref, doing, function, *arguments)


def choose_tracer(name: str, warn: Callable[[str], None]) -> ChosenTracer:
    """The tracer called `name`, or for `auto` the first whose preflight passes.

    `warn` gets a sentence for each plugin that failed. Raises `RefusedError` when no tracer can be
    used; the sentence says what would make one usable.
    """
    found = tracers()
    for failure in found.failures:
        warn(str(failure))
    if name == "auto":
        return _first_usable(found, warn)
    for tracer in found.usable:
        if tracer.name == name:
            verdict = _preflight(found, tracer)
            if verdict.ok:
                return ChosenTracer(tracer, found.refs[name])
            raise RefusedError(f"tracer {name} cannot be used: {_why(verdict)}")
    if not found.usable:
        raise RefusedError(NO_TRACER)
    known = ", ".join(tracer.name for tracer in found.usable)
    raise RefusedError(f"there is no tracer {name!r}; installed: {known}; see: roar tracer")


def _first_usable(found: Tracers, warn: Callable[[str], None]) -> ChosenTracer:
    reasons: list[str] = []
    for tracer in found.usable:
        try:
            verdict = _preflight(found, tracer)
        except PluginError as error:
            warn(str(error))
            continue
        if verdict.ok:
            return ChosenTracer(tracer, found.refs[tracer.name])
        reasons.append(f"{tracer.name}: {_why(verdict)}")
    raise RefusedError(_refusal(reasons))


def _refusal(reasons: Sequence[str]) -> str:
    if not reasons:
        return NO_TRACER
    return "no tracer can be used here: " + " · ".join(reasons)


def _preflight(found: Tracers, tracer: Tracer) -> Preflight:
    return call_object(found.refs[tracer.name], "its preflight", tracer.preflight)


def _why(verdict: Preflight) -> str:
    return f"{verdict.reason}; {verdict.remedy}" if verdict.remedy else verdict.reason

"""A runtime environment with the agent in it, and with all that the user put there."""

from __future__ import annotations

from .setup import VARIABLE, Setup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

WAITING = "4:wait"


def with_agent(
    runtime_env: Mapping[str, Any] | None, settings: Mapping[str, Any], sources: Mapping[str, str]
) -> dict[str, Any]:
    """A copy of a runtime environment in which `sources` are the agent's modules."""
    added = dict(runtime_env or {})
    theirs = dict(added.get("env_vars") or {})
    inherited = theirs.pop(VARIABLE, None)
    hook = added.get("worker_process_setup_hook")
    if not (hook is None or callable(hook) or isinstance(hook, str)):
        return added  # Ray says so in words of its own
    # A hook of the whole submission comes as its key, with its name, if any, beside it.
    setup = Setup(settings, sources, hook if inherited is None else None, inherited, _name_of(hook))
    added["worker_process_setup_hook"] = setup
    added["env_vars"] = theirs | _variables(theirs, settings)
    return added


def _variables(theirs: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, str]:
    ours = {"ROAR_NO_TELEMETRY": "1"}
    library = settings.get("library")
    if library and settings.get("capture", "native") == "native":
        # Ray puts in what the node's own environment has there.
        ours["LD_PRELOAD"] = f"{library}:{theirs.get('LD_PRELOAD', '${LD_PRELOAD}')}"
    ours["ROAR_TRACE"] = WAITING
    return ours


def _name_of(hook: Any) -> str:
    return str(getattr(hook, "__name__", hook or "roar"))

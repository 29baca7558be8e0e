"""What an event says: built from an allowlist, and checked against it once more before it leaves.

No word of a command line, path, repository, host or account can get into it: every text has one of
the forms below, every name is on a list.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from roar_core.telemetry.stats import COUNTERS, STATS_SCHEMA_VERSION, TRACERS, Stats

PAYLOAD_SCHEMA_VERSION = 1

TOP_LEVEL_FIELDS = (
    *("payload_schema_version", "stats_schema_version", "event_id", "install_id", "sequence"),
    *("first_seen", "trigger", "trigger_ts", "counters_as_of", "version", "platform"),
    *("subcommand_counts", "tracer_selections", "feature_capabilities"),
)
# The milestones. `preview`, of `roar telemetry --print`, is none.
UPLOAD_TRIGGERS = (
    *("first_seen_for_install_id", "first_seen_for_version", "first_successful_roar_run"),
    *("second_successful_roar_run", "third_successful_roar_run", "init", "reset", "register"),
)
PREVIEW = "preview"
CAPABILITIES = frozenset({"blake3", "ebpf", "preload", "ptrace", "proxy", "ray", "osmo"})
SYSTEMS = frozenset({"linux", "macos", "windows"})
ARCHITECTURES = frozenset({"x86_64", "arm64"})

# Texts, for `re` to compile when it needs them: a milestone has no use for two of the three.
# RFC 9562 version 4, RFC 3339 to the microsecond, PEP 440 without the rare parts.
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TIMESTAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
VERSION = r"[0-9]+(\.[0-9]+){0,3}((a|b|rc|\.dev|\.post)[0-9]{1,6})?"

_SYSTEM_OF = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
_ARCHITECTURE_OF = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def build(stats: Stats, *, trigger: str, event_id: str, now: str, version: str) -> dict[str, Any]:
    """The event of a milestone, or of `preview`: exactly TOP_LEVEL_FIELDS."""
    uname = os.uname()
    platform = {
        "os": _SYSTEM_OF.get(uname.sysname),
        "arch": _ARCHITECTURE_OF.get(uname.machine.lower()),
    }
    return {
        "payload_schema_version": PAYLOAD_SCHEMA_VERSION,
        "stats_schema_version": STATS_SCHEMA_VERSION,
        "event_id": event_id,
        "install_id": stats.install_id,
        "sequence": stats.sequence,
        "first_seen": stats.first_seen,
        "trigger": trigger,
        "trigger_ts": now,
        "counters_as_of": stats.counters_as_of,
        "version": version if re.fullmatch(VERSION, version) else None,
        "platform": {name: value for name, value in platform.items() if value is not None},
        "subcommand_counts": dict(stats.subcommand_counts),
        "tracer_selections": dict(stats.tracer_selections),
        "feature_capabilities": _listed(stats.feature_capabilities),
    }


def known_capabilities(told: Mapping[str, bool]) -> dict[str, bool]:
    """Every capability on the list, from what all plugins say; what none says is not there."""
    return {name: told.get(name) is True or name == "blake3" for name in sorted(CAPABILITIES)}


def _listed(capabilities: Mapping[str, bool]) -> dict[str, bool]:
    """Those on the list; before the first run nothing is known but that blake3 is there."""
    listed = {n: v for n, v in capabilities.items() if n in CAPABILITIES and isinstance(v, bool)}
    return {"blake3": True} | listed


def encode(event: Mapping[str, Any]) -> bytes:
    """The bytes that are queued, sent and printed: compact JSON, sorted keys."""
    return json.dumps(event, sort_keys=True, separators=(",", ":")).encode("ascii")


def is_sendable(content: bytes) -> bool:
    """Whether these bytes are an event of ours and nothing else, down to every value's form."""
    try:
        event = json.loads(content)
        if not isinstance(event, dict) or encode(event) != content:
            return False
    except (ValueError, RecursionError):
        return False
    return event.keys() == _FORMS.keys() and all(form(event[name]) for name, form in _FORMS.items())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(TIMESTAMP, value) is not None


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(UUID, value) is not None


def _has_counts_of(allowed: frozenset[str]) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, dict) and value.keys() <= allowed and all(map(_is_count, value.values()))
    )


def _is_platform(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= {"os", "arch"}:
        return False
    return value.get("os", "linux") in SYSTEMS and value.get("arch", "arm64") in ARCHITECTURES


def _has_capabilities(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= CAPABILITIES:
        return False
    return all(isinstance(flag, bool) for flag in value.values())


_FORMS: dict[str, Callable[[object], bool]] = {
    "payload_schema_version": lambda value: value == PAYLOAD_SCHEMA_VERSION,
    "stats_schema_version": lambda value: value == STATS_SCHEMA_VERSION,
    "event_id": _is_uuid,
    "install_id": _is_uuid,
    "sequence": _is_count,
    "first_seen": _is_time,
    "trigger": lambda value: value in UPLOAD_TRIGGERS,
    "trigger_ts": _is_time,
    "counters_as_of": lambda value: value is None or _is_time(value),
    "version": lambda value: (
        value is None or (isinstance(value, str) and re.fullmatch(VERSION, value) is not None)
    ),
    "platform": _is_platform,
    "subcommand_counts": _has_counts_of(COUNTERS),
    "tracer_selections": _has_counts_of(TRACERS),
    "feature_capabilities": _has_capabilities,
}

"""What a workflow's attempts have come to, as `osmo workflow query --verbose` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from roar_osmo.client import OsmoError

TaskState = Literal["succeeded", "failed", "interrupted"]

# Somebody or something ended it; whether it would have failed is not known.
_ENDED_FROM_OUTSIDE = frozenset(
    {
        *("FAILED_CANCELED", "FAILED_EXEC_TIMEOUT", "FAILED_EVICTED", "FAILED_PREEMPTED"),
        *("FAILED_SERVER_ERROR", "FAILED_BACKEND_ERROR"),
    }
)
# Nothing of it ever ran, whatever times the server gives.
_NEVER_RAN = frozenset(
    {
        *("FAILED_UPSTREAM", "FAILED_QUEUE_TIMEOUT", "FAILED_IMAGE_PULL", "FAILED_SUBMISSION"),
        *("FAILED_START_ERROR", "FAILED_START_TIMEOUT"),
    }
)


class Attempt(NamedTuple):
    """One attempt at a task; `retry` counts from 0. Times are nanoseconds since the epoch."""

    task: str
    retry: int
    status: str
    exit_code: int | None = None
    started_at_ns: int | None = None
    ended_at_ns: int | None = None
    node: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def has_ended(self) -> bool:
        return self.status in ("COMPLETED", "RESCHEDULED") or self.status.startswith("FAILED")

    @property
    def never_ran(self) -> bool:
        """Whether it ended without a command of it having been started."""
        has_failed = self.status.startswith("FAILED")
        return has_failed and (self.status in _NEVER_RAN or self.started_at_ns is None)

    @property
    def ran(self) -> bool:
        """Whether it has ended, and its command had been started."""
        return self.has_ended and not self.never_ran

    @property
    def key(self) -> tuple[str, int]:
        return self.task, self.retry

    @property
    def duration_s(self) -> float | None:
        if self.started_at_ns is None or self.ended_at_ns is None:
            return None
        return max(0.0, (self.ended_at_ns - self.started_at_ns) / 1e9)

    @property
    def state(self) -> TaskState:
        """How it ended, in roar's words."""
        if self.status == "COMPLETED":
            return "succeeded"
        return "interrupted" if self.status in _ENDED_FROM_OUTSIDE else "failed"


class State(NamedTuple):
    """A workflow: its own status and all attempts, earlier ones first."""

    status: str
    attempts: tuple[Attempt, ...]

    @property
    def has_ended(self) -> bool:
        return self.status == "COMPLETED" or self.status.startswith("FAILED")


def state_of(document: Mapping[str, Any]) -> State:
    """What a query's answer says; OsmoError when it is none."""
    groups = document.get("groups")
    status = document.get("status")
    if not isinstance(status, str) or not isinstance(groups, list):
        raise OsmoError("osmo workflow query gave an answer without status and groups")
    tasks = [
        task
        for group in groups
        if isinstance(group, dict) and isinstance(group.get("tasks"), list)
        for task in group["tasks"]
    ]
    attempts = {found.key: found for found in map(_attempt, tasks)}
    return State(status, tuple(sorted(attempts.values(), key=lambda each: each.retry)))


def _attempt(fields: Any) -> Attempt:
    name = fields.get("name") if isinstance(fields, dict) else None
    status = fields.get("status") if isinstance(fields, dict) else None
    if not isinstance(name, str) or not name or not isinstance(status, str):
        raise OsmoError("osmo workflow query gave a task without name and status")
    retry = _number(fields.get("retry_id"))
    return Attempt(
        task=name,
        retry=retry if retry is not None and retry >= 0 else 0,
        status=status,
        exit_code=_number(fields.get("exit_code")),
        started_at_ns=_time(fields.get("start_time")),
        ended_at_ns=_time(fields.get("end_time")),
        node=_text(fields.get("node_name")),
        hosts=tuple(filter(None, map(_text, (fields.get("pod_name"), fields.get("task_uuid"))))),
    )


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _number(found: Any) -> int | None:
    is_whole = isinstance(found, int) and not isinstance(found, bool)
    return found if is_whole and abs(found) < 1 << 31 else None


def _time(found: Any) -> int | None:
    """An ISO time, UTC unless it says otherwise, in nanoseconds since the epoch.

    None for one that is none, such as the year 1, which Go writes for no time.
    """
    try:
        moment = datetime.fromisoformat(found)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    time_ns = round(moment.timestamp() * 1e6) * 1000
    return time_ns if 0 < time_ns < 1 << 63 else None

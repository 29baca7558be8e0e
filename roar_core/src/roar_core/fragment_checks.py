"""Whether a fragment holds what its types say: logs, stores and plugins may give anything.

attrs checks few fields, since a run makes many thousands of these. What comes from elsewhere is
looked at once, before it is merged: there, one number too large for the database, or one name that
no file can have, would take everything else of the run with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from roar_core.model.environment import Environment
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import TaskFragment

# A name that is no UTF-8 has its bytes as U+DC80 to U+DCFF (PEP 383); other surrogates are nothing.
_NO_TEXT = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_BLAKE3 = re.compile(r"[0-9a-f]{64}")

Check = Callable[[Any], bool]


def checked(fragment: TaskFragment) -> TaskFragment:
    """`fragment` itself; ValueError, which names the field, when roar could not record it."""
    _check(fragment, _FRAGMENT, "")
    for side, files in (("read", fragment.read), ("written", fragment.written)):
        for at, file in enumerate(files):
            _check(file, _FILE, f"{side}[{at}].")
    for at, found in enumerate(fragment.objects):
        _check(found, _OBJECT, f"objects[{at}].")
    for at, reason in enumerate(fragment.coverage):
        _check(reason, _REASON, f"coverage[{at}].")
    _check(fragment.packages, _PACKAGES, "packages.")
    if fragment.environment is not None:
        _check_environment(fragment.environment)
    return fragment


def _check_environment(environment: Environment) -> None:
    _check(environment, _ENVIRONMENT, "environment.")
    for at, gpu in enumerate(environment.gpus):
        _check(gpu, _GPU, f"environment.gpus[{at}].")


def _check(found: Any, fields: Mapping[str, Check], place: str) -> None:
    for name, is_fit in fields.items():
        value = getattr(found, name, None)
        if not is_fit(value):
            raise ValueError(f"no fragment of a task: {place}{name} is {value!r:.80}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not _NO_TEXT.search(value)


def _is_path(value: Any) -> bool:
    return _is_text(value) and "\0" not in value


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    """Whether SQLite can hold it."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return is_whole and -(2**63) <= value < 2**63


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_duration(value: Any) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value)


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, Fingerprint) and all(type(each) is int for each in value)


def _is_range(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_count, value))


def _are_texts(value: Any) -> bool:
    """Whether it maps text to text."""
    return isinstance(value, Mapping) and all(_is_text(t) for pair in value.items() for t in pair)


def _are_digests(value: Any) -> bool:
    return _are_texts(value) and bool(_BLAKE3.fullmatch(value.get("blake3", "0" * 64)))


def _or_none(is_fit: Check) -> Check:
    return lambda value: value is None or is_fit(value)


def _each(is_fit: Check) -> Check:
    return lambda value: isinstance(value, tuple) and all(map(is_fit, value))


_FRAGMENT: Mapping[str, Check] = {
    "task": _is_text,
    "name": _is_text,
    "started_at_ns": _is_number,
    "attempt": _is_count,
    "part": _is_text,
    "command": _each(_is_path),
    "cwd": _or_none(_is_path),
    "where": _is_text,
    "duration_s": _or_none(_is_duration),
    "exit_code": _or_none(_is_number),
    "signal": _or_none(_is_text),
    "tracer": _or_none(_is_text),
    "needs": _each(_is_text),
    "group": _is_text,
}
_FILE: Mapping[str, Check] = {
    "path": _is_path,
    "size": _is_count,
    "digests": _are_digests,
    "fingerprint": _or_none(_is_fingerprint),
    "is_changed": _is_flag,
    "is_code": _is_flag,
    "node": _is_text,
}
_OBJECT: Mapping[str, Check] = {
    "url": _is_text,
    "direction": lambda value: value in ("input", "output"),
    "size": _is_count,
    "digests": _are_digests,
    "version": _or_none(_is_text),
    "etag": _or_none(_is_text),
    "ranges": _each(_is_range),
}
_REASON: Mapping[str, Check] = {"code": _is_text, "count": _is_count, "detail": _is_text}
_PACKAGES: Mapping[str, Check] = {"python": _are_texts, "system": _are_texts}
_ENVIRONMENT: Mapping[str, Check] = {
    "os": _is_text,
    "arch": _is_text,
    "interpreter": _or_none(_is_text),
    "cpu": _or_none(_is_text),
    "memory_bytes": _or_none(_is_count),
    "gpus": lambda value: isinstance(value, tuple),
    "cuda": _or_none(_is_text),
    "container": _or_none(_is_text),
    "variables": _are_texts,
}
_GPU: Mapping[str, Check] = {
    "name": _is_text,
    "memory_bytes": _or_none(_is_count),
    "driver": _or_none(_is_text),
}

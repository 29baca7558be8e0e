"""A task's fragment as bytes: one JSON object in ASCII, so that it passes through any log.

    {"roar_fragment": 1, "task": …, "name": …, "state": …, …}: the fields of `TaskFragment`

Fields that a reader does not know are passed over, those that it misses have their defaults. A name
that is no UTF-8 keeps its bytes as lone surrogates (PEP 383), escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from roar_core.fragment_checks import checked
from roar_core.model.coverage import CoverageReason
from roar_core.model.environment import Environment, Gpu, Packages
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import ObservedObject, TaskFile, TaskFragment

FORMAT = 1

T = TypeVar("T")


def to_json(fragment: TaskFragment) -> bytes:
    """Write a fragment; ends with a line feed."""
    fields = {"roar_fragment": FORMAT, **attrs.asdict(fragment)}
    return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


def from_json(data: bytes) -> TaskFragment:
    """Read a fragment; ValueError when `data` is none, or of a version that is not known here."""
    try:
        fields = json.loads(data)
        version = fields["roar_fragment"]
        if version != FORMAT:
            raise ValueError(f"a fragment of version {version!r}, this roar reads {FORMAT}")
        fragment = _made(
            TaskFragment,
            fields,
            command=tuple,
            read=_each(_file),
            written=_each(_file),
            objects=_each(lambda found: _made(ObservedObject, found, ranges=_each(tuple))),
            coverage=_each(lambda reason: _made(CoverageReason, reason)),
            packages=lambda packages: _made(Packages, packages),
            environment=_environment,
            needs=tuple,
        )
        return checked(fragment)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no fragment of a task: {error!r}") from error


def _made(cls: type[T], fields: Mapping[str, Any], **convert: Callable[[Any], Any]) -> T:
    """An object of the attrs class `cls` from those of `fields` that it has."""
    known = {a.name for a in attrs.fields(cls) if a.name in fields}  # type: ignore[arg-type]
    return cls(**{name: convert.get(name, _same)(fields[name]) for name in known})


def _same(value: Any) -> Any:
    return value


def _each(convert: Callable[[Any], T]) -> Callable[[list[Any]], tuple[T, ...]]:
    return lambda values: tuple(convert(value) for value in values)


def _file(fields: Mapping[str, Any]) -> TaskFile:
    return _made(TaskFile, fields, fingerprint=lambda f: None if f is None else Fingerprint(*f))


def _environment(fields: Mapping[str, Any] | None) -> Environment | None:
    if fields is None:
        return None
    return _made(Environment, fields, gpus=_each(lambda gpu: _made(Gpu, gpu)))

"""What a setting's value may be, and how it is read from and shown as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from roar_core.errors import ConfigError
from roar_core.hookspecs import ConfigKey

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGT", start=1):
    _UNITS |= {f"{_letter}iB": 1024**_power, f"{_letter}B": 1000**_power}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(" + "|".join(_UNITS) + ")")

# Kept as milliseconds in 32 bits where tracers read it.
_SECONDS_MAX = 1_000_000

_EXPECTED = {
    "boolean": "true or false",
    "count": "a whole number from 0",
    "seconds": "a number of seconds",
    "size": "a size such as 1048576 or '64 MiB'",
    "text": "text",
    "list of text": "a list of text",
    "boolean or table of booleans": "true, false or a table of them by name",
    "table of text": "a table of text by name",
}


def kind_of(key: ConfigKey) -> str:
    """The kind a key has; ConfigError when it is none that roar knows."""
    by_default = {bool: "boolean", int: "count", float: "seconds", str: "text"}
    by_default |= {tuple: "list of text", list: "list of text"}
    kind = key.kind or by_default.get(type(key.default))
    if kind not in _EXPECTED:
        unknown = key.kind or type(key.default).__name__
        raise ConfigError(f"{key.name}: {unknown!r} is no known kind")
    return kind


def expected(key: ConfigKey) -> str:
    """What a value of this key looks like, in words."""
    if not key.choices:
        return _EXPECTED[kind_of(key)]
    choices = ", ".join(key.choices)
    return f"a list of {choices}" if kind_of(key) == "list of text" else f"one of {choices}"


def checked(key: ConfigKey, value: object) -> Any:
    """`value` as the key's type (bytes for sizes, tuples for lists), or ConfigError."""
    result = _converted(kind_of(key), value)
    chosen = result if isinstance(result, tuple) else (result,)
    if result is None or (key.choices and not all(item in key.choices for item in chosen)):
        raise ConfigError(f"expected {expected(key)}, got {plain(value)!r}")
    return result


def _converted(kind: str, value: object) -> Any:
    """The value as `kind` keeps it, None when it is not one."""
    match kind, value:
        case "boolean", bool():
            return value
        case (("count" | "size" | "seconds"), bool()):
            return None
        case (("count" | "size"), int()) if 0 <= value < 1 << 63:
            return value
        case "size", str():
            return _size(value)
        case "seconds", int() | float() if 0 <= value <= _SECONDS_MAX:
            return float(value)
        case "text", str():
            return value
        case "list of text", list() | tuple() if all(isinstance(item, str) for item in value):
            return tuple(value)
        case "table of text", Mapping() if all(isinstance(v, str) for v in value.values()):
            return dict(value)
        case "boolean or table of booleans", bool():
            return value
        case "boolean or table of booleans", Mapping() if _booleans(value):
            return dict(value)
    return None


def _booleans(table: Mapping[object, object]) -> bool:
    return all(isinstance(item, bool) for item in table.values())


def _size(text: str) -> int | None:
    match = _SIZE.fullmatch(text.strip())
    return int(float(match[1]) * _UNITS[match[2]]) if match and len(text) < 40 else None


def from_text(key: ConfigKey, text: str) -> Any:
    """The value a shell or an environment variable means: TOML where it is TOML, else the text."""
    if kind_of(key) == "text" and text[:1] not in {'"', "'"}:
        return text
    if text in {"true", "false"}:
        return text == "true"
    if re.fullmatch(r"[+-]?\d{1,19}", text):
        return int(text)
    if re.fullmatch(r"[+-]?\d{1,19}(\.\d{1,19})?([eE][+-]?\d{1,3})?", text):
        return float(text)
    if text[:1] in {"[", "{", '"', "'"}:
        import tomllib

        try:
            return tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            return text
    return text


def plain(value: object) -> object:
    """A value as JSON and TOML know it: tuples become lists."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return value


def shown(key: ConfigKey, value: object) -> str:
    """A value as a person would type it: `64 MiB`, `["sha256"]`, `auto`."""
    if kind_of(key) == "size" and isinstance(value, int):
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if value and value % _UNITS[unit] == 0:
                return f"{value // _UNITS[unit]} {unit}"
    if isinstance(value, str):
        return value

    if isinstance(value, Mapping):
        pairs = (f"{_toml(name)} = {_toml(each)}" for name, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    return _toml(plain(value))


def _toml(value: object) -> str:
    """JSON that is TOML, too: characters beyond U+FFFF as they are, and no bare DEL."""
    import json

    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

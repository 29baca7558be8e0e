"""Change one setting in one file: comments and order kept, the file whole at every moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roar_core.config import files
from roar_core.config.own_files import locked, replace
from roar_core.config.values import plain
from roar_core.errors import ConfigError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def set_value(path: Path, name: str, value: Any) -> None:
    """Write `name = value` into the file; ConfigError when it cannot be read or written."""

    def change(document: TOMLDocument) -> bool:
        *tables, last = name.split(".")
        _descend(document, tables, path)[last] = plain(value)
        return True

    _rewrite(path, change, name, plain(value))


def unset_value(path: Path, name: str) -> bool:
    """Take `name`, known or not, out of the file; False when it was not there."""

    def change(document: TOMLDocument) -> bool:
        return _remove(document, name.split("."))

    return _rewrite(path, change, name, None)


def _descend(document: Any, tables: list[str], path: Path) -> Any:
    import tomlkit

    table = document
    for depth, part in enumerate(tables, start=1):
        if part not in table:
            # A super table prints no header of its own: [tracer.preload], not [tracer] before it.
            table[part] = tomlkit.table(is_super_table=depth < len(tables))
        table = table[part]
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {'.'.join(tables[:depth])} is no table; unset it first")
    return table


def _remove(table: Any, parts: list[str]) -> bool:
    first, *rest = parts
    if not isinstance(table, dict) or first not in table:
        return False
    if rest:
        removed = _remove(table[first], rest)
        if not removed or table[first]:
            return removed
    del table[first]
    return True


def _rewrite(path: Path, change: Callable[[TOMLDocument], bool], name: str, wanted: object) -> bool:
    """Apply `change` under the file's lock; False when it changed nothing."""
    import tomlkit

    target = Path(os.path.realpath(path))  # a link into a dotfiles repository stays a link
    try:
        with locked(target):
            data = files.read(target) or b""
            files.parse(str(path), data)
            document = tomlkit.parse(data)
            if not change(document):
                return False
            text = tomlkit.dumps(document)
            _verify(path, text, name, wanted)
            replace(target, text.encode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return True


def _verify(path: Path, text: str, name: str, wanted: object) -> None:
    """Read the new text as every command will, before it takes the old one's place."""
    found: object = files.parse(str(path), text.encode())
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if found != wanted:
        raise ConfigError(f"{path}: {name} cannot be changed without harm; edit the file by hand")

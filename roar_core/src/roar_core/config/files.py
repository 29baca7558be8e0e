"""The configuration files: where they lie, and their tables."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from roar_core.errors import ConfigError

_SIZE_LIMIT = 4 << 20


def tables(
    project_root: Path | None, roar_dir: Path | None, environ: Mapping[str, str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(label, table) of each file that exists, the weakest first; labels name files to people."""
    shared = user_file(environ)
    if shared is not None and (data := read(shared)) is not None:
        yield str(shared), parse(str(shared), data)
    if project_root is not None:
        yield from _committed(project_root)
    if roar_dir is not None and (data := read(roar_dir / "config.toml")) is not None:
        label = label_of(roar_dir / "config.toml", project_root)
        yield label, parse(label, data)


def user_file(environ: Mapping[str, str]) -> Path | None:
    """The user's own file, None without a home. XDG base directory specification: a relative
    XDG_CONFIG_HOME is ignored."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    if folder.startswith("/"):
        return Path(folder, "roar", "global.toml")
    home = environ.get("HOME", "")
    return Path(home, ".config", "roar", "global.toml") if home.startswith("/") else None


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """Where what roar remembers for the user lies, None without a home; XDG_STATE_HOME likewise."""
    folder = environ.get("XDG_STATE_HOME", "")
    if folder.startswith("/"):
        return Path(folder, "roar")
    home = environ.get("HOME", "")
    return Path(home, ".local", "state", "roar") if home.startswith("/") else None


def label_of(path: Path, project_root: Path | None) -> str:
    """How messages call a file: relative to the project when it lies there."""
    if project_root is not None and path.is_relative_to(project_root):
        return str(path.relative_to(project_root))
    return str(path)


def _committed(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    own = read(root / "roar.toml")
    project = read(root / "pyproject.toml")
    inner: object = None
    # Most projects have a pyproject.toml and nothing of ours in it: spare them the parser.
    if project is not None and b"roar" in project:
        tool = parse("pyproject.toml", project).get("tool")
        inner = tool.get("roar") if isinstance(tool, Mapping) else None
    if own is not None and inner is not None:
        raise ConfigError(
            "roar.toml and [tool.roar] of pyproject.toml both configure this project; keep one"
        )
    if own is not None:
        yield "roar.toml", parse("roar.toml", own)
    if inner is not None:
        if not isinstance(inner, Mapping):
            raise ConfigError(f"pyproject.toml: tool.roar: expected a table, got {inner!r}")
        yield "pyproject.toml [tool.roar]", inner


def read(path: Path) -> bytes | None:
    """A file's bytes, None when there is none; ConfigError when it cannot be read or is no file."""
    # O_NONBLOCK: a FIFO of this name must not make every command hang.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ConfigError(f"{path}: not a regular file")
        with os.fdopen(fd, "rb", closefd=False) as stream:
            data = stream.read(_SIZE_LIMIT + 1)
    finally:
        os.close(fd)
    if len(data) > _SIZE_LIMIT:
        raise ConfigError(f"{path}: larger than {_SIZE_LIMIT >> 20} MiB, too large to be settings")
    return data


def parse(label: str, data: bytes) -> dict[str, Any]:
    """The TOML table in `data`; ConfigError says where it is not TOML."""
    import tomllib

    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{label}: not UTF-8 at byte {error.start}") from error
    except ValueError as error:  # also integers of thousands of digits, which int() refuses
        raise ConfigError(f"{label}: not valid TOML: {_lower_first(str(error))}") from error
    except RecursionError as error:
        raise ConfigError(f"{label}: not valid TOML: nested too deeply") from error


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]

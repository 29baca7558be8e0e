"""The judge's eyes: what is at a path now, and what lies below a directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from roar_core.model.fingerprint import Fingerprint


def look(path: str) -> Fingerprint | None:
    """What lstat(2) says of `path`; None when nothing can be seen there."""
    try:
        return Fingerprint.from_stat(os.lstat(path))
    except OSError as error:
        return _look_far(path) if error.errno == errno.ENAMETOOLONG else None
    except ValueError:
        return None


def _look_far(path: str) -> Fingerprint | None:
    """`look` for a path beyond PATH_MAX, which only descriptors of directories can reach."""
    directory, name = os.path.split(path)
    steps = [step for step in directory.split("/") if step]
    here = os.open("/", os.O_PATH)
    try:
        for step in steps:
            inner = os.open(step, os.O_PATH | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = inner
        return Fingerprint.from_stat(os.lstat(name, dir_fd=here))
    except OSError:
        return None
    finally:
        os.close(here)


def list_files(directory: str) -> Iterator[str]:
    """Every regular file below `directory`, without following links; unreadable parts are empty."""
    folders = [directory]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path

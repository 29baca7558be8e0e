"""Put a package in its place, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from roar_core.errors import RoarError
from roar_core.scaffold.packages import Files


def write_package(files: Files, target: Path) -> None:
    """Make `target`, which must not be there or be an empty folder, hold exactly `files`."""
    if target.is_symlink() or (target.exists() and not _is_empty_folder(target)):
        raise RoarError(f"{str(target)!r} is there already; name another folder with --into")
    if not target.parent.is_dir():
        raise RoarError(f"there is no folder {str(target.parent)!r}; make it first, with mkdir -p")
    try:
        _write(files, target)
    except OSError as error:
        raise RoarError(
            f"cannot write {str(target)!r}: {error.strerror}; name another folder with --into"
        ) from error


def _is_empty_folder(path: Path) -> bool:
    try:
        return path.is_dir() and not any(path.iterdir())
    except OSError:  # of a folder that may not be listed nobody knows
        return False


def _write(files: Files, target: Path) -> None:
    # Beside the target, so that a rename, which is all or nothing, can put it there.
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for relative, text in files.items():
            path = draft / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        draft.chmod(_ordinary_mode(draft / "src"))  # mkdtemp's own is for secrets
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _ordinary_mode(sibling: Path) -> int:
    """What a folder made as usual has here: the umask cannot be asked without changing it."""
    return sibling.stat().st_mode & 0o777

"""The secrets of anonymous registrations, until these are finished: files that only we can read.

Never in the database, which people copy and send around.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from roar_core.config.own_files import replace
from roar_core.errors import RoarError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Tokens:
    """The secrets below one project's `.roar/registrations` (0700, each 0600)."""

    def __init__(self, roar_dir: Path) -> None:
        self._folder = roar_dir / "registrations"

    def keep(self, name: str, secret: str) -> None:
        """Write the secret of the registration of this name, whole or not at all."""
        path = self._path(name)
        if not secret.isascii() or not secret.isprintable():
            raise RoarError("the registry gave a registration a secret that cannot be sent")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if self._folder.is_symlink():
                raise RoarError(f"{self._folder} is a link, and no secret is kept there; remove it")
            replace(path, secret.encode())
        except OSError as error:
            raise RoarError(f"{path} cannot be written: {error.strerror}") from error

    def read(self, name: str) -> str | None:
        """The secret; None when it is not here."""
        try:
            return self._path(name).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None

    def forget(self, name: str) -> None:
        """Delete it; nothing happens where it is gone already."""
        with suppress(OSError):  # it is worth nothing any more
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or name.startswith("."):
            raise RoarError("the registry gave a registration a name that roar cannot keep")
        return self._folder / name

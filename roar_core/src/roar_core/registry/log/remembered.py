"""The newest signed head that each registry has shown, in the user's state directory.

One file for a registry, of mode 0600, like known_hosts: not secret, but nobody else may write it.
It lies with the user's state and not with credentials, because it is kept for registries that one
only reads or registers with anonymously, and because `roar logout` must not forget it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from roar_core.config.files import state_folder
from roar_core.config.own_files import locked, replace
from roar_core.errors import RegistryError
from roar_core.transparency.continuing import Seen
from roar_core.transparency.told import ToldError, seen_of

_MOST_BYTES = 1 << 20


class Memory(NamedTuple):
    """What is remembered of the log of the registry at `url`, and the file that holds it."""

    url: str
    file: Path

    def recall(self) -> Seen | None:
        """What was kept last; None when this log was never seen. Raises RegistryError."""
        try:
            with self.file.open("rb") as stream:
                return seen_of(json.loads(stream.read(_MOST_BYTES)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryError(f"{self.file} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError, ToldError) as error:
            raise RegistryError(
                f"{self.file} holds no remembered head of the log of {self.url}; move it away, "
                "and what it knew is lost"
            ) from error

    def keep(self, told: Mapping[str, Any]) -> None:
        """Put `seen_told`'s document in place of what was kept: all of it or nothing."""
        text = json.dumps({"url": self.url, **told}, indent=1) + "\n"
        try:
            replace(self.file, text.encode())
        except OSError as error:
            raise RegistryError(f"{self.file} cannot be written: {error.strerror}") from error

    def forget(self) -> bool:
        """Whether there was something, which is gone."""
        try:
            self.file.unlink()
        except FileNotFoundError:
            return False
        return True


@contextmanager
def memory_of(url: str, environ: Mapping[str, str]) -> Iterator[Memory]:
    """What is remembered of a registry, for one process at a time.

    Two visits at once would each find that the other's newer head is not the one they compared
    with. Raises RegistryError without a directory for it.
    """
    folder = state_folder(environ)
    if folder is None:
        raise RegistryError(
            "there is no home directory to remember the registry's log in; set HOME or"
            " XDG_STATE_HOME"
        )
    # Readable, and one for one address whatever characters that has.
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", url.partition("://")[2])[:64]
    file = folder / "registries" / f"{readable}-{sha256(url.encode()).hexdigest()[:12]}.json"
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(file))
        except OSError as error:
            raise RegistryError(f"{file.parent} cannot be written: {error.strerror}") from error
        yield Memory(url, file)

"""Why a file has no digest."""

from __future__ import annotations

from typing import NamedTuple

from roar_core.errors import RoarError
from roar_core.model.fingerprint import Fingerprint


class HashError(RoarError):
    """A file has no digest: `code` says why for programs, the message for people."""

    code = "unreadable"

    def __init__(self, path: str, why: str, fingerprint: Fingerprint | None = None) -> None:
        self.path = path
        self.why = why
        self.fingerprint = fingerprint
        super().__init__(f"cannot hash {path!r}: {why}")


class FileChanged(HashError):
    """It is not, or did not stay, the version asked for; `fingerprint` is the one found last."""

    code = "changed"


class NotRegular(HashError):
    """Something without content of its own is at the path: a directory, FIFO, socket or device."""

    code = "not_regular"


class Unreadable(HashError):
    """The kernel refused; `code` is `missing`, `denied` or `unreadable`."""

    def __init__(self, path: str, cause: OSError) -> None:
        super().__init__(path, (cause.strerror or str(cause)).lower())
        if isinstance(cause, FileNotFoundError | NotADirectoryError):
            self.code = "missing"
        elif isinstance(cause, PermissionError):
            self.code = "denied"


class HashFailure(NamedTuple):
    """A `HashError` as a value: its code, its sentence, and the version found if there was one."""

    code: str
    reason: str
    fingerprint: Fingerprint | None

    @classmethod
    def of(cls, error: HashError) -> HashFailure:
        """Take over what `error` says."""
        return cls(error.code, str(error), error.fingerprint)

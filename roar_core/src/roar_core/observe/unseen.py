"""What lies at each path as far as records alone tell, where the files are out of reach. Pure.

What was opened to be written may have been changed: the version that stands for it agrees with no
other, so that the judge takes it for changed. It is nobody's real version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roar_core.journal_format import Intent, Kind, Record
from roar_core.model.fingerprint import Fingerprint

_CHANGES = int(Intent.WRITE | Intent.TRUNCATE | Intent.CREATED)
_FAR_FUTURE_NS = (1 << 63) - 1


def look_in(records: Iterable[Record]) -> Callable[[str], Fingerprint | None]:
    """A `look` for the judge: the newest that records tell of a path, None where it was removed."""
    at: dict[bytes, Fingerprint] = {}
    for record in records:
        _take(record, at)

    def look(path: str) -> Fingerprint | None:
        return at.get(path.encode("utf-8", "surrogateescape"))

    return look


def is_believed(fingerprint: Fingerprint) -> bool:
    """Whether it stands for a version that nobody has seen."""
    return fingerprint.mtime_ns == _FAR_FUTURE_NS


def _take(record: Record, at: dict[bytes, Fingerprint]) -> None:
    prints, names = record.fingerprints, record.strings
    if not names:
        return
    match record.kind:
        case Kind.OPEN if prints and prints[0].nlink:
            is_changed = record.value & _CHANGES or is_believed(at.get(names[0], prints[0]))
            at[names[0]] = _changed(prints[0]) if is_changed else prints[0]
        case Kind.CLOSED | Kind.TRUNCATE | Kind.MAPPED if prints:
            at[names[0]] = _changed(prints[0])
        case Kind.RENAME if len(names) > 1 and prints:
            at[names[1]] = at.pop(names[0], prints[0])
        case Kind.LINK if len(names) > 1 and prints:
            at[names[1]] = at.get(names[0], prints[0])
        case Kind.UNLINK:
            at.pop(names[0], None)


def _changed(fingerprint: Fingerprint) -> Fingerprint:
    return fingerprint._replace(size=-1, mtime_ns=_FAR_FUTURE_NS)

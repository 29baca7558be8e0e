"""Which start of the machine this is: what numbers of processes, and some caches, are worth."""

from __future__ import annotations

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """The 36 characters that name this start of the machine; empty where there is no /proc."""
    try:
        with open(_BOOT_ID, "rb") as file:  # noqa: PTH123 - start-up
            return file.read(36).decode("ascii", "replace")
    except OSError:
        return ""

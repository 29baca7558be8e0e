"""Where telemetry keeps its state: every path there is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roar_core.config.files import user_file


class Paths:
    """The user's configuration file, and the files of one folder that is telemetry's alone."""

    def __init__(self, config: Path, folder: Path) -> None:
        self.config = config
        self.folder = folder

    @property
    def stats(self) -> Path:
        """Counters, the random id of this install, and which milestones have passed."""
        return self.folder / "stats.json"

    @property
    def stats_lock(self) -> Path:
        """Held for the instant in which `stats` is changed."""
        return self.folder / "stats.lock"

    @property
    def queue(self) -> Path:
        """One JSON file for each event that waits to be sent: the bytes that would be sent."""
        return self.folder / "queue"

    @property
    def uploader_lock(self) -> Path:
        """Held by the one uploader that works."""
        return self.folder / ".lock"

    @property
    def backoff(self) -> Path:
        """How often in a row sending failed, and when it may be tried again."""
        return self.folder / "backoff.json"

    @property
    def disclosed(self) -> Path:
        """There once the line about telemetry was shown; without it nothing is ever sent."""
        return self.folder / "disclosed"

    @property
    def settings(self) -> Path:
        """What `config` says, remembered, so that it is parsed only when it changed."""
        return self.folder / "settings.json"


def paths(environ: Mapping[str, str]) -> Paths | None:
    """The paths of the user whose environment this is; None without a home directory.

    XDG base directory specification: a relative directory is ignored.
    """
    config = user_file(environ)
    cache = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME", "")
    if not cache.startswith("/"):
        cache = f"{home}/.cache" if home.startswith("/") else ""
    if config is None or not cache:
        return None
    return Paths(config, Path(cache, "roar", "telemetry"))

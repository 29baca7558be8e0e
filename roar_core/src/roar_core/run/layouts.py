"""The composite formats that take part in one run, each kept from harming it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from roar_core.composites.grouping import Grouping
from roar_core.config.layers import Config
from roar_core.contracts import Offer
from roar_core.errors import PluginError
from roar_core.hookspecs import CompositeFormat, Folder
from roar_core.observe.patterns import Matcher, compile_patterns
from roar_core.plugins import call_object, offered
from roar_core.project import Project

_OWN = "roar-core"

# Shared by everybody: what happens to lie side by side there is no dataset.
_SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108


class Layouts:
    """What tells a run's datasets; `failures` are sentences about formats that cannot be used."""

    def __init__(
        self,
        formats: Sequence[CompositeFormat],
        tops: Iterable[str],
        forced: Matcher | None,
        failures: list[str],
    ) -> None:
        self.failures = failures
        self._formats = formats
        self._tops = tuple(tops)
        self._forced = forced

    @classmethod
    def prepare(cls, project: Project, config: Config) -> Layouts | None:
        """Load the formats; None when the settings say that no dataset is looked for."""
        if not config.get("composites.detect"):
            return None
        found = offered("roar.composites")
        failures = [str(failure) for failure in found.failures]
        home = os.path.expanduser("~")  # noqa: PTH111 - no exception when there is no home
        root = os.fspath(project.root)
        return cls(
            [
                # Our own are asked a hundred thousand times, and need no guard.
                o.value if o.ref.distribution == _OWN else _Guarded(o, failures)
                for o in found.offers
            ],
            (root, home, *_SHARED),
            compile_patterns(config.get("composites.paths"), root, home),
            failures,
        )

    def grouping(self, paths: Iterable[str], decreed: frozenset[str] = frozenset()) -> Grouping:
        """The datasets among these files; the folders `decreed` are datasets."""
        forced = self._forced

        def is_forced(folder: str) -> bool:
            return folder in decreed or (forced is not None and forced(folder))

        return Grouping(paths, self._formats, self._tops, is_forced if decreed else forced)


class _Guarded:
    """A format whose exceptions cost only itself: from the first one on it knows no dataset."""

    def __init__(self, offer: Offer, failures: list[str]) -> None:
        self._offer = offer
        self._format: CompositeFormat = offer.value
        self._failures = failures
        self._is_broken = False
        self.name = self._format.name
        self.priority = self._format.priority
        self.is_flat = bool(self._format.is_flat)

    def is_root(self, folder: Folder) -> bool:
        return self._ask("looking for datasets", self._format.is_root, folder)

    def in_identity(self, relative: str) -> bool:
        return self._ask("naming members of a dataset", self._format.in_identity, relative)

    def _ask(self, doing: str, function: object, argument: object) -> bool:
        if self._is_broken:
            return False
        try:
            return bool(call_object(self._offer.ref, doing, function, argument))  # type: ignore[arg-type]
        except PluginError as error:
            self._is_broken = True
            self._failures.append(str(error))
            return False

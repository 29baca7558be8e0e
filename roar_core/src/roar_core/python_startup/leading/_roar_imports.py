"""Tell when a library is imported, and add to it, in somebody else's process.

Nothing is imported here before that: it is in every Python of a command.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def watch(added: Mapping[str, Callable[[ModuleType], None]]) -> None:
    """Call a function of `added` with the module of its name, once that has been executed.

    Who imports it waits for that; what the function raises, the import raises.
    """
    if _WATCH not in sys.meta_path:
        sys.meta_path.insert(0, _WATCH)
    for name, function in added.items():
        _WATCH.added.setdefault(name, []).append(function)


class _Watch:
    """Finds nothing itself, but adds to what is found. One for all: two would ask each other."""

    def __init__(self) -> None:
        self.added: dict[str, list[Callable[[ModuleType], None]]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.added:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find and finder is not self else None
            if spec is not None:
                # Whoever merely looks whether there is such a module does not execute it.
                self._add_to(spec)
                return spec  # type: ignore[no-any-return]
        return None

    def _add_to(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for add in self.added.pop(spec.name, ()):
                add(module)

        loader.exec_module = exec_module


_WATCH = _Watch()

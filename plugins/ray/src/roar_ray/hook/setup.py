"""The setup hook for workers: the agent's sources, and the user's own hook after it.

It is pickled as a call of `exec` on `BOOTSTRAP`, so that a worker needs nothing but Python to load
it, of whatever version, and no module of ours under any name.
"""

from __future__ import annotations

import functools
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PACKAGE = "_roar_ray_agent"
# By which Ray tells a worker of a setup hook.
VARIABLE = "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR"

# Run in a worker; `sources`, `settings`, `hook`, `inherited` and `variable` are its globals.
BOOTSTRAP = """
def _start():
    import importlib.abc
    import importlib.machinery
    import sys

    class Sources(importlib.abc.ExecutionLoader, importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name not in sources:
                return None
            is_package = name == package
            return importlib.machinery.ModuleSpec(
                name, self, origin="<roar>", is_package=is_package
            )

        def get_source(self, name):
            return sources[name]

        def get_filename(self, name):
            return "<roar>/" + name

        def is_package(self, name):
            return name == package

    sys.meta_path.append(Sources())
    import ray

    return importlib.import_module(package + ".worker").start(settings, ray)


def _hook():
    from ray._private.runtime_env import setup_hook
    from ray._private.worker import global_worker

    if inherited is not None or isinstance(hook, str):
        failed = setup_hook.load_and_execute_setup_hook(inherited or hook)
        if failed is not None:
            global_worker.core_worker.drain_and_exit_worker("system", failed)
    elif hook is not None:
        hook()


try:
    agent = _start()
except Exception as error:
    agent = error
_hook()
if hook is None and inherited is None:
    # It leads into this cluster's store: a cluster that a task makes would look in its own.
    __import__("os").environ.pop(variable, None)
"""


def sources_of(folder: str) -> dict[str, str]:
    """Module name -> source of the agent, whose package lies in this folder."""
    found = {}
    for path in sorted(Path(folder).glob("*.py")):
        name = PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}"
        found[name] = path.read_text(encoding="utf-8")
    return found


class Setup:
    """What Ray pickles, once per driver, and calls in each worker of its job.

    `hook` is the user's own, a callable or a name; `inherited` the key of one that was set for the
    whole submission.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        sources: Mapping[str, str],
        hook: Callable[[], Any] | str | None = None,
        inherited: str | None = None,
        name: str = "roar",
    ) -> None:
        told = {key: value for key, value in settings.items() if key != "agent"}
        self.__name__ = name
        self._globals = {
            "package": PACKAGE,
            "settings": told,
            "sources": dict(sources),
            "hook": hook,
            "inherited": inherited,
            "variable": VARIABLE,
        }

    def __call__(self) -> None:
        exec(BOOTSTRAP, self._globals)  # noqa: S102 - the text above

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial, (exec, BOOTSTRAP, self._globals)

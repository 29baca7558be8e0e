"""Takes part in what this process does with Ray: when it connects, and before it leaves.

`ray.init` and `ray.shutdown` are called as ever, with what the user gave; around them we look. The
runtime environment is changed where Ray itself lets others do so, after all that the user has said
was put together: a hook in this process alone, which no process of the cluster inherits.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import sys
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

from roar_ray.agent import submitting as results
from roar_ray.driver import carrying, clients, observing, places, reaching, submitting
from roar_ray.driver import told as telling
from roar_ray.driver.connection import Connection
from roar_ray.driver.faults import Faults
from roar_ray.driver.inheriting import Inheritance
from roar_ray.hook.environment import with_agent
from roar_ray.hook.setup import Setup, sources_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

# Of Ray's own name; before 2.44 the one way to have a say.
_HOOK = "RAY_RUNTIME_ENV_HOOK"
_OURS = "_roar_ray_hook"
_MODIFY = "_maybe_modify_runtime_env"


def join(ray_worker: ModuleType, folder: str) -> None:
    """Take part in this process's Ray, whose module `ray._private.worker` was just imported."""
    told = telling.read(folder)
    faults = Faults(told.folder)
    with faults.kept("joining a driver"):
        Driver(ray_worker, told, faults, folder).join()


def submit(sdk: ModuleType, folder: str) -> None:
    """Take part in what this process submits, by the module with its client."""
    told = telling.read(folder)
    faults = Faults(told.folder)
    with faults.kept("joining a client of Ray's jobs"):
        submitting.join(sdk.JobSubmissionClient, told, faults, folder)


def reach(client_worker: ModuleType, folder: str) -> None:
    """Take part in this process's Ray Client, by the module with its worker."""
    told = telling.read(folder)
    faults = Faults(told.folder)
    with faults.kept("joining Ray Client"):
        clients.Clients(told, faults, folder).join(client_worker.Worker)


def observe(folder: str) -> None:
    """Observe this process, which belongs to a job that was submitted."""
    told = telling.read(folder)
    if told.is_here:
        with Faults(told.folder).kept("observing a submitted driver"):
            observing.observe(told, submitting.submission())


class Driver:
    """This process, from the moment at which it has imported Ray."""

    def __init__(self, ray_worker: Any, told: telling.Told, faults: Faults, folder: str) -> None:
        self._worker = ray_worker
        self._told = self._here = told
        self._faults = faults
        self._folder = folder
        self._pid = os.getpid()
        self._asked: tuple[Any, Any] = (None, None)
        self._job_config: Any = None
        self._is_own = False
        self._inheritance = Inheritance(ray_worker.services, faults)
        self._is_server = clients.is_server(folder, sys.orig_argv)
        self._stays = 0
        self._connection: Connection | None = None

    def join(self) -> None:
        """Put ourselves around three functions."""
        observing.keep_room()
        worker = self._worker
        worker.init = self._around_init(worker.init)
        worker.shutdown = self._around_shutdown(worker.shutdown)
        self._inheritance.join()
        modify = getattr(worker, _MODIFY, None)
        if modify is not None:
            setattr(worker, _MODIFY, self._around_modify(modify))
        # Before Ray's own, which was registered earlier.
        atexit.register(self._leave)

    def _around_init(self, init: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(init)
        def initialised(*arguments: Any, **named: Any) -> Any:
            address = arguments[0] if arguments else named.get("address")
            self._asked = (address, named.get("_temp_dir"))
            self._job_config = named.get("job_config")
            if self._is_server:
                with self._faults.kept("serving a client"):
                    named = clients.serving(named, self._with_agent, self._faults)
            with nullcontext() if hasattr(self._worker, _MODIFY) else self._hook_of_old():
                found = init(*arguments, **named)
            with self._faults.kept("beginning with a cluster"):
                self._enter()
            return found

        return initialised

    def _around_shutdown(self, shutdown: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(shutdown)
        def shut_down(*arguments: Any, **named: Any) -> Any:
            self._leave()
            return shutdown(*arguments, **named)

        return shut_down

    def _around_modify(self, modify: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(modify)
        def modified(runtime_env: Any, skip: bool = False, *arguments: Any, **named: Any) -> Any:
            found = modify(runtime_env, skip, *arguments, **named)
            return found if skip else self._with_agent(found)

        return modified

    @contextmanager
    def _hook_of_old(self) -> Iterator[None]:
        """Have a Ray without `_maybe_modify_runtime_env` call us by a name that it can import.

        The variable is gone before any process of a cluster is started.
        """
        theirs = os.environ.get(_HOOK)

        def restore() -> None:
            os.environ.pop(_HOOK, None)
            if theirs is not None:
                os.environ[_HOOK] = theirs

        def called(runtime_env: Any) -> Any:
            restore()
            return self._with_agent(self._with_theirs(theirs, runtime_env))

        sys.modules[_OURS] = SimpleNamespace(called=called)  # type: ignore[assignment]
        os.environ[_HOOK] = f"{_OURS}.called"
        try:
            yield
        finally:
            restore()

    def _with_theirs(self, theirs: str | None, runtime_env: Any) -> Any:
        if theirs is None:
            return runtime_env
        module, _, name = theirs.rpartition(".")
        return getattr(importlib.import_module(module), name)(runtime_env)

    def _with_agent(self, runtime_env: Any) -> Any:
        """The user's runtime environment with the agent in it; as it was when that cannot be."""
        with self._faults.kept("adding the agent to a runtime environment"):
            self._is_own = self._makes_a_cluster()
            self._inheritance.forget()
            is_apart = self._is_own and self._told.is_here
            self._here = self._told.for_own_cluster() if is_apart else self._told
            # Ray would put what it is given here in the place of what the job's own has.
            found = runtime_env or getattr(self._job_config, "runtime_env", None)
            # By its path on this machine, which a cluster that was made here shares.
            library = carrying.library_here(self._told) if self._is_own else ""
            told = self._here.for_agents(library)
            sources = sources_of(os.path.join(self._folder, "roar_ray", "agent"))
            if self._is_own and not found and self._inheritance.is_possible:
                told["is_inherited"] = True
                self._inheritance.prepare(Setup(told, sources))
                return runtime_env
            if not self._is_own and not carrying.is_carried(self._folder):
                package = carrying.packed(self._told, self._folder)
                found = carrying.with_package(found, package)
            return with_agent(found, told, sources)
        return runtime_env

    def _makes_a_cluster(self) -> bool:
        """Whether this `ray.init` starts a cluster, rather than going to one that is there."""
        address, temp_dir = self._asked
        services = self._worker.services
        try:
            return services.canonicalize_bootstrap_address(address, temp_dir) is None
        except (ConnectionError, ValueError):  # Ray itself is about to raise it
            return False

    def _enter(self) -> None:
        """Begin what a stay in a cluster needs; nothing when Ray was connected already."""
        worker = self._worker.global_worker
        if self._connection is not None or not worker.connected:
            return
        if worker.mode != self._worker.SCRIPT_MODE:
            return
        if not self._told.is_here:
            return
        if self._inheritance.is_pending:
            self._faults.note("no raylet has taken the agent to its workers")
        import ray

        self._see_to_results(ray)
        self._stays += 1
        if not self._is_server:
            found = reaching.as_driver(ray, self._is_own)
            self._connection = Connection(ray, self._here, self._faults, str(self._stays), found)

    def _see_to_results(self, ray: Any) -> None:
        """Write down which tasks are given the results of which, and what is fetched here."""
        with self._faults.kept("seeing to results between tasks"):
            folder = os.path.join(self._here.folder, places.DRIVERS)
            os.makedirs(folder, mode=0o700, exist_ok=True)
            path = os.path.join(folder, f"{self._pid}.edges")
            if self._stays:
                results.go_on_in(path)
                return
            unseen = results.install(ray, path)
            if unseen:
                self._faults.note(f"results between tasks are not seen: {'; '.join(unseen)}")

    def _leave(self) -> None:
        """End the stay, if there is one, in the process that began it."""
        connection, self._connection = self._connection, None
        if connection is not None and os.getpid() == self._pid:
            with self._faults.kept("leaving a cluster"):
                connection.end()

"""What roar calls around a run that may use Ray somewhere inside.

There is one way for all of them, whether `python train.py` or `ray job submit`: code that every
Python of the command runs first, and that does nothing until Ray is imported. So nothing of the
command's words is changed, and no option's form need be known.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from roar_core.hookspecs import BackendPlan, Match, RunContext
from roar_core.model.coverage import TaskCoverage
from roar_core.python_startup import copy_modules, lead
from roar_ray import belongings
from roar_ray.driver import places

if TYPE_CHECKING:
    from roar_core.model.fragment import TaskFragment
    from roar_ray.collecting import Collecting, Memory

_PACKAGE = Path(__file__).parent
# What the driver's Python gets of us, below the package's name.
_CARRIED = ("agent", "driver", "hook")
# Programs of a cluster's own, and the titles that some of them give themselves; workers that have
# no task yet, or none any more; and what multiprocessing keeps beside the dashboard, which opens no
# file, whoever's it is.
_SERVER = re.compile(
    r"/ray/(core/src/ray/(gcs/gcs_server|raylet/raylet)|dashboard/(dashboard|agent)\.py"
    r"|_private/(log_monitor\.py|workers/default_worker\.py|runtime_env/agent/main\.py)"
    r"|autoscaler/_private/monitor\.py)$"
    r"|^ray-dashboard-\w+-\d|^ray::(DashboardAgent|RuntimeEnvAgent|IDLE\w*)$"
    r"|^from multiprocessing\.resource_tracker import main; ?main\(\d+\)$"
    r"|^from multiprocessing\.forkserver import main; main\(.*\['ray', 'ray\.dashboard"
)


class RayBackend:
    """Tasks and actors of Ray. `settings` is the configuration's section `ray`."""

    name = "ray"
    priority = 50
    # Each look takes a processor from the tasks: 10,000 tiny ones took 1.23 times as long as bare
    # with a look every 2 s, on two processors, and 1.13 with none.
    collect_every_s = 10.0

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._memories: dict[tuple[str, str], Memory] = {}
        self._began: set[str] = set()

    def detect(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Match | None:
        if PurePath(argv[0]).name == "ray" and list(argv[1:3]) == ["job", "submit"]:
            return Match(100, "ray job submit")
        return None

    def plan(self, run: RunContext, environ: Mapping[str, str]) -> BackendPlan:
        return BackendPlan(run.command, {**environ, **self.adopt(run, environ)})

    def adopt(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        if not self._settings["enabled"]:
            return {}
        from roar_ray.driver import told as telling

        folder = run.folder / places.PYTHON
        added = lead(_PACKAGE / "driver" / "start", "_roar_ray_start", folder, environ)
        carried = folder / "roar_ray"
        carried.mkdir()
        (carried / "__init__.py").touch()
        for name in _CARRIED:
            copy_modules(_PACKAGE / name, carried / name)
        # Not `secrets`, which would load hashlib in every run.
        nonce = os.urandom(16).hex()
        (run.folder / places.JOURNALS).mkdir(mode=0o700)
        settings = self._settings
        told = telling.Told(
            run=run.uid,
            folder=os.fspath(run.folder),
            nonce=nonce,
            capture=settings["capture"],
            ship_every_s=settings["ship_period"],
            store_bytes=settings["store_room"],
            sweep_s=settings["sweep_patience"],
            library=_library(),
        )
        Path(told.nonce_path).write_text(nonce)
        telling.write(os.fspath(folder), told)
        self._began.add(run.uid)
        return added

    def claims(self, run: RunContext, path: PurePath) -> bool:
        # A run may touch a million files, and pathlib takes microseconds for each comparison.
        if f"{path}/".startswith(f"{run.folder}/"):
            return True
        return belongings.is_ray_s(path)

    def serves(self, run: RunContext, pid: int, words: Sequence[str]) -> bool:
        if any(_SERVER.search(word) for word in words):
            return True
        # Of a worker with a journal its tasks tell what is missing; others might have no agent.
        name = f"*.{pid}.jnl"
        made = f"{places.CLUSTERS}/*/{places.JOURNALS}/{name}"
        return any((run.folder / places.JOURNALS).glob(name)) or any(run.folder.glob(made))

    def collect(self, run: RunContext) -> Iterator[TaskFragment]:
        if not _has_any(run.folder):
            return
        from roar_ray.clusters import told_apart

        found = self._collecting(run)
        # What is over is read again when everything is, and not every few seconds until then.
        is_live = any(each.is_live() for each in found.values())
        for name, collecting in found.items():
            if not (is_live and collecting.has_read_all):
                for fragment in collecting.fragments():
                    yield told_apart(fragment, name)

    def coverage(self, run: RunContext) -> TaskCoverage:
        if not _has_any(run.folder):
            return TaskCoverage(0)
        from roar_ray.clusters import together

        found = self._collecting(run)
        return together((name, collecting.coverage()) for name, collecting in found.items())

    def _collecting(self, run: RunContext) -> dict[str, Collecting]:
        """By the names of the run's clusters."""
        from roar_ray.clusters import folder_of, made_in
        from roar_ray.collecting import Collecting, Memory

        found = {}
        for name in ("", *made_in(run.folder)):
            memory = self._memories.setdefault((run.uid, name), Memory())
            of_it = run._replace(folder=folder_of(run.folder, name))
            found[name] = Collecting(of_it, memory, is_later=run.uid not in self._began)
        return found

    def finalise(self, run: RunContext) -> None:
        """All there is lies in the run's folder, which roar deletes; the drivers let go of more."""


def _library() -> str:
    """Where the tracer's plugin has the preload library; it is wanted whichever tracer is used."""
    spec = importlib.util.find_spec("roar_tracer_preload")
    if spec is None or spec.origin is None:
        return ""
    path = Path(spec.origin).parent / "_native" / "libroar_preload.so"
    return os.fspath(path) if path.is_file() else ""


def _has_any(folder: Path) -> bool:
    """Whether any process of the run has had to do with Ray."""
    if any((folder / each).is_dir() for each in (places.DRIVERS, places.SUBMISSIONS)):
        return True
    if any(folder.glob(f"{places.CLUSTERS}/*/{places.DRIVERS}")):
        return True
    journals = folder / places.JOURNALS
    return (folder / places.NODES).is_dir() or any(journals.glob("*.jnl"))

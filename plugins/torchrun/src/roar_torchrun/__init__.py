"""The ranks of `torchrun` and of what calls it: each is a task of the run, told by its variables.

Of PyTorch nothing is imported; torch/distributed/elastic/agent/server/local_elastic_agent.py is
where it gives each worker RANK, LOCAL_WORLD_SIZE and TORCHELASTIC_RESTART_COUNT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from roar_core.hookspecs import (
    BackendPlan,
    ExecutionBackend,
    Match,
    PluginConfig,
    ProcessTask,
    RunContext,
    hookimpl,
)
from roar_core.model.coverage import TaskCoverage

if TYPE_CHECKING:
    from roar_core.model.fragment import TaskFragment

MODULES = ("torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch")
# python(1): options stand together before one that takes the rest of the word, or the next one.
_FLAGS = "-[bBdEhiIOPqRsStuvVx?]*"
_MODULE = re.compile(f"{_FLAGS}m(.*)", re.S)
_WITH_WORD = re.compile(f"{_FLAGS}[WX]")
_NUMBER = re.compile(r"[0-9]{1,9}")


class TorchrunBackend:
    """Worker processes of PyTorch's elastic agent, on this machine."""

    name = "torchrun"
    priority = 50
    collect_every_s = 0.0

    def detect(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Match | None:
        program = PurePath(argv[0]).name
        if program == "torchrun" or (program == "accelerate" and list(argv[1:2]) == ["launch"]):
            return Match(90, program)
        module = module_of(argv) if re.fullmatch(r"python[0-9.]*t?", program) else None
        return Match(90, f"python -m {module}") if module in MODULES else None

    def plan(self, run: RunContext, environ: Mapping[str, str]) -> BackendPlan:
        return BackendPlan(run.command, environ)  # it is seen as it is

    def adopt(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        return {}

    def task_of(self, environ: Mapping[str, str]) -> ProcessTask | None:
        names = ("RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT")
        values = [environ.get(name, "") for name in names]
        if not all(map(_NUMBER.fullmatch, values)):
            return None
        rank, ranks_here, restarts = map(int, values)
        return ProcessTask(f"rank {rank}", attempt=restarts + 1, among=ranks_here)

    def claims(self, run: RunContext, path: PurePath) -> bool:
        return False

    def collect(self, run: RunContext) -> Iterator[TaskFragment]:
        return iter(())  # roar's own observation has them all

    def coverage(self, run: RunContext) -> TaskCoverage:
        return TaskCoverage(None)

    def finalise(self, run: RunContext) -> None:
        """Nothing is held anywhere."""


def module_of(argv: Sequence[str]) -> str | None:
    """What `python -m` runs; None when it runs something else."""
    words = iter(argv[1:])
    for word in words:
        if match := _MODULE.fullmatch(word):
            return match[1] or next(words, None)
        if not word.startswith("-"):
            return None
        if _WITH_WORD.fullmatch(word):
            next(words, None)
    return None


@hookimpl
def roar_backends(config: PluginConfig) -> list[ExecutionBackend]:
    """Offer the backend."""
    return [TorchrunBackend()]

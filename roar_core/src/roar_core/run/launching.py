"""What has to be there before a command can be observed: its journal, and its tracer made ready."""

from __future__ import annotations

import os
from pathlib import Path

from roar_core.config.layers import Config
from roar_core.errors import NoTracerError, PluginError
from roar_core.hookspecs import Launch, LaunchPlan
from roar_core.journal import Journal, private_directories
from roar_core.model.job import Job
from roar_core.run.choose import ChosenTracer
from roar_core.run.planned import Planned


def make_journal(
    path: Path, job: Job, chosen: ChosenTracer, config: Config, *, tells_again: bool = False
) -> Journal:
    """The journal of a job that is about to start; raises JournalError.

    `tells_again`: without the table by which a file is told of once, whoever opens it.
    """
    more = {"table_slots": 0} if tells_again else {}
    return Journal.create(
        path,
        job.uid,
        preimage_wait_ms=round(config.get("hash.preimage_wait") * 1000),
        private_dirs=private_directories(os.environ),
        successor=chosen.successor,
        **more,
    )


def prepare_launch(
    chosen: ChosenTracer, planned: Planned, job: Job, journal: Journal, config: Config
) -> Launch:
    """Have the tracer make ready; nothing has begun, so only here may its failure refuse."""
    plan = LaunchPlan(
        program=os.fsencode(os.path.join(job.cwd, planned.program)),  # noqa: PTH118 - any bytes
        argv=tuple(os.fsencode(word) for word in planned.argv),
        environ={os.fsencode(k): os.fsencode(v) for k, v in planned.environ.items()},
        cwd=Path(job.cwd),
        journal=Path(journal.path),
        run_uid=job.uid,
        settings=config.section(chosen.tracer.name),
        successor=chosen.successor,
    )
    try:
        return chosen.call("preparing the run", chosen.tracer.launch, plan)
    except PluginError as error:
        raise NoTracerError(str(error)) from error

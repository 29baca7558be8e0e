"""What roar relies on of a storage proxy in a run that uses no store."""

from __future__ import annotations

from collections.abc import Iterator

from roar_core.hookspecs import StorageProxy
from roar_core.promises.audit import started_processes
from roar_core.promises.backend import imagined_run
from roar_core.promises.promise import Complaint, promise


@promise("a command that uses no store gets no proxy, and nothing is missing")
def stays_out_of_the_way(proxy: StorageProxy) -> Iterator[Complaint]:
    with imagined_run() as run:
        with started_processes() as started:
            added = proxy.start(run, {"PATH": "/usr/bin:/bin"})
        objects, reasons = list(proxy.objects(run)), list(proxy.stop(run))
    for what in started:
        yield Complaint(f"start() calls {what}", "start nothing when no variable concerns you")
    if added:
        yield Complaint(f"start() adds {added!r}", "add nothing when no variable concerns you")
    if objects or reasons:
        yield Complaint(f"it tells of {objects + reasons!r}", "tell of nothing: nothing passed")


PROMISES = (stays_out_of_the_way,)

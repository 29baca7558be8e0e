"""`roar collect`: bring in what tasks reported after their run was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.opening import open_project

if TYPE_CHECKING:
    from roar_core.run.again import Collected


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def collect(as_json: bool) -> None:
    """Bring in tasks that had not reported when their run was recorded.

    A run stays open when its backend says that more will come: a job was submitted and has not
    ended. Collecting again changes nothing that was collected before.

    Example: roar collect
    """
    from roar_core.cli.documents import document
    from roar_core.run.again import collect_again
    from roar_core.store.writer import Store

    # Whatever a killed roar left is completed, and with it collected, by opening the project.
    with open_project(Store) as (project, _):
        pass
    with Store.open(project.roar_dir) as store:
        found = collect_again(project, store, output.warn)
    if as_json:
        runs = [
            {
                "uid": each.job.uid,
                "step": None if each.job.step is None else str(each.job.step),
                "merged": each.merged,
                "open": each.is_open,
            }
            for each in found
        ]
        output.data(document("collection", runs=runs))
    elif not found:
        output.note("no run has tasks left to collect")
    for each in found if not as_json else ():
        output.line(_sentence(each))


def _sentence(collected: Collected) -> str:
    job = collected.job
    place = str(job.step) if job.step else wording.short_uid(job.uid)
    news = wording.count(collected.merged, "new report")
    title = output.printable(wording.title(job.name, job.command))
    state = "open: more may come" if collected.is_open else "complete"
    return f"{place}  {title}  {news}, {state}"

"""What a job tells of the tasks below it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from roar_core.lineage.tasks import family_of
from roar_core.store.owner import Owner
from roar_core.store.tasks import PartKey, TaskPart, merge_parts
from roar_core.store.writer import Store


@pytest.mark.parametrize("others", [0, 40])
def test_files_are_counted_by_their_paths_however_much_else_there_is(
    store: Store, jobs: Any, others: int
) -> None:
    other = store.begin(jobs("other"), owner=Owner.current())
    read = jobs.edges({f"in{number}": b"%d" % number for number in range(others)})
    store.complete(attrs.evolve(other, state="succeeded", inputs=read))
    driver = store.begin(jobs("submit"), owner=Owner.current())
    reads = ({"a": b"1", "b": b"2"}, {"a": b"1", "c": b"3"})
    parts = [
        TaskPart(
            PartKey("spool", str(number), 1, ""),
            jobs(
                f"task {number}",
                kind="task",
                parent=driver.uid,
                state="succeeded",
                inputs=jobs.edges(reads[number]),
                outputs=jobs.edges({"out": b"%d" % number}),
            ),
        )
        for number in range(2)
    ]
    merge_parts(store, driver.uid, parts)
    with store.reading() as db:
        family = family_of(db, driver.uid)
    assert (family.read, family.written) == (3, 1)

"""How attempts end that do not simply return: the record says so, and the user gets the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_cluster import Cluster, Told

pytestmark = [pytest.mark.long("tasks that end in every way"), pytest.mark.needs("cc")]

# The file that an attempt wrote -> its function, and how it ended.
EXPECTED = {
    "leaves": ("leaves", "interrupted"),
    "crashes": ("crashes", "interrupted"),
    "cancelled": ("endless", "interrupted"),
    "forced": ("endless", "interrupted"),
    "outer": ("outer", "succeeded"),
    "outer.0": ("inner", "succeeded"),
    "outer.1": ("inner", "succeeded"),
    "puts": ("puts", "succeeded"),
    "takes": ("takes", "succeeded"),
    "load1": ("Grouped.load", "succeeded"),
    "load2": ("Grouped.load", "succeeded"),
    "compute": ("Grouped.compute", "succeeded"),
    "waits": ("Grouped.waits", "interrupted"),
    "killed": ("Grouped.waits", "interrupted"),
}


@pytest.mark.parametrize("capture", ["native", "python"])
def test_each_end_is_what_it_was(ray_cluster: Cluster, tmp_path: Path, capture: str) -> None:
    folders = [tmp_path / name for name in ("bare", "ours")]
    for folder in folders:
        folder.mkdir()
    bare, ours = folders
    without = ray_cluster.drive(bare, "endings.py", bare, capture=None)
    told = ray_cluster.drive(ours, "endings.py", ours, capture=capture)
    assert told.printed == without.printed
    assert ended(told, ours) == EXPECTED
    codes = {reason.code for each in told.fragments for reason in each.coverage}
    assert codes <= {"interrupted", "python_only"}


def ended(told: Told, folder: Path) -> dict[str, tuple[str, str]]:
    found = {}
    for each in told.fragments:
        for file in each.written:
            path = Path(file.path)
            if path.parent == folder:
                assert path.name not in found, "nobody else has it"
                found[path.name] = (each.name, each.state)
    return found

"""What the clusters of one run tell is told apart, and counted together."""

from __future__ import annotations

from pathlib import Path

from roar_core.model.coverage import CoverageReason, TaskCoverage
from roar_core.model.fragment import TaskFragment
from roar_ray import clusters
from roar_ray.driver.told import Told


def test_each_cluster_that_is_made_has_a_folder_and_its_workers_know_it(tmp_path: Path) -> None:
    told = Told(run="0" * 32, folder=str(tmp_path), nonce="n")
    made = [told.for_own_cluster() for _ in range(11)]
    names = clusters.made_in(tmp_path)
    assert names == [str(number) for number in range(1, 12)]
    assert [each.folder for each in made] == [
        str(clusters.folder_of(tmp_path, name)) for name in names
    ]
    assert all(each.is_here for each in made)
    assert not told._replace(nonce="another").for_own_cluster()._replace(nonce="n").is_here
    assert clusters.folder_of(tmp_path, "") == tmp_path


def test_ids_of_clusters_that_were_there_before_are_rays() -> None:
    fragment = TaskFragment("t1", "f", "succeeded", 1, needs=("t0",))
    assert clusters.told_apart(fragment, "") is fragment
    told = clusters.told_apart(fragment, "2")
    assert (told.task, told.needs, told.name) == ("t1@2", ("t0@2",), "f")


def test_what_is_missing_is_counted_of_all() -> None:
    lost, python = CoverageReason("lost", 1, "x"), CoverageReason("python_only", 2, "y")
    found = {
        "": TaskCoverage(1, reasons=(lost,), needs=("t0",)),
        "1": TaskCoverage(2, is_final=False, reasons=(lost, python), needs=("t0", "t1")),
    }
    assert clusters.together(found.items()) == TaskCoverage(
        3,
        is_final=False,
        reasons=(CoverageReason("lost", 2, "x"), python),
        needs=("t0", "t0@1", "t1@1"),
    )

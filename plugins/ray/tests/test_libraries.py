"""Ray's own libraries under the agent: what a user knows of them is what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_cluster import Told, cluster

from roar_core.model.fragment import TaskFile

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc"), pytest.mark.ray_libraries]
PARTS = {f"part{number}.parquet" for number in range(3)}


@pytest.fixture(scope="module")
def told(ray_libraries_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("libraries")
    with cluster(ray_libraries_python) as running:
        yield running.drive(folder, "libraries.py", folder)


def names(files: tuple[TaskFile, ...]) -> set[str]:
    return {Path(file.path).name for file in files}


def test_the_libraries_do_what_they_do_without_us(told: Told) -> None:
    assert told.printed == {"data": 870, "train": True, "tune": [1, 4]}


def test_operators_of_data_are_tasks_by_their_names(told: Told) -> None:
    tasks = [each for each in told.fragments if "MapBatches(double)" in each.name]
    assert tasks
    assert set().union(*(names(each.read) for each in tasks)) >= PARTS
    written = [each for each in tasks if any("/doubled/" in file.path for file in each.written)]
    assert written
    assert all(each.name.endswith("Write") for each in written)


def test_each_rank_of_train_has_its_files(told: Told) -> None:
    loops = told.named("RayTrainWorker.run_train_fn")
    found = {each.group: (names(each.read), names(each.written)) for each in loops}
    assert found == {
        f"rank {rank}": ({f"part{rank}.parquet"}, {f"rank{rank}.txt"}) for rank in range(2)
    }


def test_each_trial_of_tune_has_its_files(told: Told) -> None:
    steps = [each for each in told.named("ImplicitFunc.train") if each.written]
    by_trial = {each.group: names(each.written) for each in steps}
    assert sorted(map(sorted, by_trial.values())) == [["trial1.txt"], ["trial2.txt"]]
    assert all(group.startswith("trial ") for group in by_trial)


def test_what_keeps_the_platform_going_is_told_apart(told: Told) -> None:
    roles = {each.name.partition(".")[0]: each.role for each in told.fragments}
    for name in ("_StatsActor", "_AutoscalingCoordinatorActor", "FooterReader", "TrainController"):
        assert roles[name] == "infrastructure"

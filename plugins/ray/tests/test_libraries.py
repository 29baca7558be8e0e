"""Ray's own libraries under the agent: what a user knows of them is what is recorded."""

from __future__ import annotations

from collections import Counter
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
    assert told.printed == {"data": [870, 435], "train": True, "tunes": [1, 4, 6]}


def test_operators_of_data_are_tasks_by_their_names(told: Told) -> None:
    tasks = [each for each in told.fragments if "MapBatches(double)" in each.name]
    assert tasks
    assert set().union(*(names(each.read) for each in tasks)) >= PARTS
    written = [each for each in tasks if any("/doubled/" in file.path for file in each.written)]
    assert written
    assert all(each.name.endswith("Write") for each in written)


def test_each_rank_of_train_has_its_files(told: Told) -> None:
    loops = told.named("RayTrainWorker.run_train_fn")
    found = {(each.group, *names(each.read) & PARTS) for each in loops}
    assert found == {(f"rank {number}", f"part{number}.parquet") for number in range(2)}
    written = {(each.group, *names(each.written) - {"raised"}) for each in loops}
    assert written == {(f"rank {number}", f"rank{number}.txt") for number in range(2)}


def test_a_rank_whose_loop_raised_has_failed(told: Told) -> None:
    loops = [each for each in told.named("RayTrainWorker.run_train_fn") if each.group == "rank 1"]
    assert [each.state for each in loops] == ["failed", "succeeded"]
    assert "raised" in names(loops[0].written)


def test_each_trial_of_tune_has_its_files(told: Told) -> None:
    steps = [each for each in told.named("trial.train") if each.written]
    by_trial = {each.group: names(each.written) for each in steps}
    assert sorted(map(sorted, by_trial.values())) == [["trial1.txt"], ["trial2.txt"]]
    assert all(group.startswith("trial ") for group in by_trial)
    [failed] = [each for each in told.named("trial.train") if each.state == "failed"]
    assert failed.group.startswith("trial ")
    assert failed.group not in by_trial


def test_calls_of_a_trial_of_a_class_are_of_one_group(told: Told) -> None:
    calls = [each for each in told.fragments if each.name.startswith("Growing.")]
    assert Counter(each.name for each in calls if each.role == "task") == {
        f"Growing.{method}": 1 for method in ("__init__", "train", "save", "stop")
    }
    [group] = {each.group for each in calls}
    assert group.startswith("trial ")
    [saved] = told.named("Growing.save")
    assert names(saved.written) == {"score.json"}


def test_what_keeps_the_platform_going_is_told_apart(told: Told) -> None:
    users = {each.name.partition(".")[0] for each in told.fragments if each.role == "task"}
    operators = {name for name in users if "->" in name or name.startswith(("Read", "List"))}
    assert users - operators == {"Consumer", "Growing", "RayTrainWorker", "trial"}
    kept = {each.name.partition(".")[0] for each in told.fragments} - users
    named = ("_StatsActor", "_AutoscalingCoordinatorActor", "FooterReader", "SplitCoordinator")
    assert kept >= {*named, "TrainController"}
    calls = {each.name for each in told.named("RayTrainWorker.execute") if each.role == "task"}
    assert not calls, "of what Train has its workers do, only the loop is the user's"

"""What drivers left behind on a node goes with the next run there, and nothing that is in use."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from roar_ray.agent import leftovers
from roar_ray.agent.journal import Journal

OWN, OLD = "ab" * 16, "cd" * 16
YEAR_S = 365 * 24 * 3600


@pytest.fixture
def above(tmp_path: Path) -> Path:
    for run in (OWN, OLD):
        (tmp_path / run).mkdir()
    return tmp_path


def left(folder: Path, age_s: float = 0) -> Path:
    """A journal that a worker left there."""
    path = folder / "worker.1.jnl"
    path.write_bytes(b"x")
    at = time.time() - age_s
    os.utime(path, (at, at))
    os.utime(folder, (at, at))
    return path


def test_what_is_old_and_in_nobody_s_use_goes(above: Path) -> None:
    left(above / OLD, YEAR_S)
    kept = left(above / OWN, YEAR_S)
    elsewhere = above / "notes"
    elsewhere.mkdir()
    leftovers.chore(str(above / OWN))()
    assert not (above / OLD).exists()
    assert kept.exists(), "this run's own"
    assert elsewhere.exists(), "whatever else is there"


def test_what_is_young_stays(above: Path) -> None:
    path = left(above / OLD)
    leftovers.delete(str(above), OWN, time.time() - leftovers.KEPT_S)
    assert path.exists()


def test_a_run_of_which_one_worker_lives_stays_whatever_its_age(above: Path) -> None:
    path = left(above / OLD, YEAR_S)
    journal = Journal(str(above / OLD / "lives.2.jnl"), OLD)
    journal.hold()
    leftovers.delete(str(above), OWN, time.time() + 1)
    assert path.exists()
    journal.close()
    leftovers.delete(str(above), OWN, time.time() + 1)
    assert not path.exists()


def test_no_link_is_followed(above: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = left(elsewhere, YEAR_S)
    os.symlink(elsewhere, above / ("ef" * 16))
    leftovers.delete(str(above), OWN, time.time() + 1)
    assert path.exists()


def test_what_cannot_be_deleted_is_told_and_keeps_nothing_else(above: Path) -> None:
    old = [above / f"{number:032x}" for number in range(5)]
    foreign = []
    for folder in old:
        folder.mkdir()
        foreign.append(folder / "a folder in it")
        foreign[-1].mkdir()
    foreign[0].rmdir()
    foreign[1].rmdir()
    foreign[1].symlink_to(above)
    journals = [left(folder, YEAR_S) for folder in old]
    with pytest.raises(OSError, match=r"of runs that are over is left: .*; and 1 more$") as told:
        leftovers.delete(str(above), OWN, time.time() + 1)
    assert not any(map(os.path.lexists, journals))
    assert [os.path.lexists(path) for path in foreign] == [False, True, True, True, True]
    assert sum(str(path) in str(told.value) for path in foreign) == 3
    assert not old[0].exists(), "nothing foreign was in it"

"""A failure of ours, in whatever place, changes nothing of what the user gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_cluster import Cluster, Told

pytestmark = [pytest.mark.slow, pytest.mark.needs("cc")]


@pytest.fixture(scope="module")
def without(ray_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What the program prints without an agent."""
    folder = tmp_path_factory.mktemp("without")
    return ray_cluster.drive(folder, "faults.py", folder, capture=None)


@pytest.mark.parametrize("capture", ["native", "python"])
def test_the_user_gets_the_same_wherever_the_agent_raises(
    ray_cluster: Cluster, without: Told, tmp_path: Path, capture: str
) -> None:
    told = ray_cluster.drive(tmp_path, "faults.py", tmp_path, capture=capture)
    assert {process["capture"] for process in told.processes} == {capture}

    def same(text: str) -> str:
        return text.replace(str(tmp_path), "F")

    for place, expected in without.printed.items():
        assert same(str(told.printed[place])) == str(expected), place
    codes = [reason for each in told.fragments for reason in each.coverage]
    assert any(reason.code == "agent_failed" for reason in codes), "the record says so"

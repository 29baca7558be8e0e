"""What a run leaves behind, besides the job."""

from __future__ import annotations

import pytest
from blake3 import blake3

from roar_core.model.fingerprint import Fingerprint
from roar_core.store.writer import Store
from roar_core.testing.projects import ProjectUnderTest

pytestmark = pytest.mark.usefixtures("each_tracer")


def test_what_was_hashed_while_the_command_ran_is_not_hashed_again(
    project: ProjectUnderTest,
) -> None:
    content = b"x" * 100_000
    data = project.write("data.bin", content)
    project.run("cat", "data.bin")
    version = Fingerprint.from_stat(data.stat())
    with Store.open(project.root / ".roar", read_only=True) as store:
        known = store.digests_for([version], "blake3")
    assert list(known.values()) == [blake3(content).hexdigest()]


def test_nothing_of_the_run_stays_behind(project: ProjectUnderTest) -> None:
    project.write("in.txt", "x")
    project.run("cp", "in.txt", "out.txt")
    assert list((project.root / ".roar/journals").iterdir()) == []
    assert {path.name for path in project.root.iterdir()} == {".roar", "in.txt", "out.txt"}


def test_a_build_is_a_step_on_its_own_counter(project: ProjectUnderTest) -> None:
    project.write("in.txt", "x")
    assert project.roar("build", "cp", "in.txt", "out.txt").exit_code == 0
    job = project.json("show", "@B1")
    assert (job["kind"], job["step"], len(job["outputs"])) == ("build", "@B1", 1)

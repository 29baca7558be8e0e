"""The ranks of the real torchrun, which meet over gloo."""

from __future__ import annotations

from pathlib import Path

import pytest

import roar_torchrun
from roar_core.testing.projects import ProjectUnderTest

# At first the second rank fails, and the agent ends the first; then both meet.
TRAIN = """
import os, sys, time, torch, torch.distributed as dist
rank, restart = os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]
number = torch.tensor([float(open("data.csv").read())])
open(f"rank{rank}.{restart}.txt", "w").close()
if restart == "0":
    while rank == "0" or not os.path.exists("rank0.0.txt"):
        time.sleep(0.01)
    sys.exit(3)
dist.init_process_group("gloo")
dist.all_reduce(number)
if rank == "0":
    torch.save(number, "model.pt")
dist.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize("tracer", ["preload", "ptrace"])
def test_the_ranks_of_torchrun_are_tasks(
    project: ProjectUnderTest, torch_python: str, tracer: str
) -> None:
    project.environ["PYTHONPATH"] = str(Path(roar_torchrun.__file__).parents[1])
    project.write("train.py", TRAIN)
    project.write("data.csv", "3\n")
    options = ("--standalone", "--nproc-per-node", "2", "--max-restarts", "1")
    launcher = (torch_python, "-m", "torch.distributed.run")
    result = project.roar("run", "--tracer", tracer, "--", *launcher, *options, "train.py")
    assert result.exit_code == 0, result.stderr
    job = project.json("show")
    tasks = {
        (task["task"]["task"], task["task"]["attempt"]): project.json("show", task["uid"])
        for group in job["tasks"]
        for task in group["jobs"]
    }
    assert set(tasks) == {(f"rank {rank}", attempt) for rank in (0, 1) for attempt in (1, 2)}
    for (rank, attempt), task in tasks.items():
        assert [edge["relative"] for edge in task["inputs"] if edge["relative"] == "data.csv"]
        written = {edge["relative"] for edge in task["outputs"]} - {None}
        model = {"model.pt"} if (rank, attempt) == ("rank 0", 2) else set()
        assert written == {f"rank{rank[-1]}.{attempt - 1}.txt", *model}
    assert {key: task["state"] for key, task in tasks.items()} == {
        ("rank 0", 1): "interrupted",
        ("rank 1", 1): "failed",
        ("rank 0", 2): "succeeded",
        ("rank 1", 2): "succeeded",
    }

"""When the work is over: ask every node for what it has not sent, and hash what only it can read.

A small task on each node that is alive. It finds the journals of all workers of the run there, also
of those that were killed, and gives back what the driver has not got yet.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from roar_ray.agent.needs import task_of
from roar_ray.driver import fetching, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# What such a task is called: none of the user's.
NAME = "roar_ray_sweep"


class Outcome(NamedTuple):
    """The nodes that did not answer, and the tasks by which they were asked."""

    silent: list[str]
    tasks: list[str]


def sweep(
    ray: Any, nodes: Iterable[str], run: str, folder: str, within_s: float, *, forgets: bool = False
) -> Outcome:
    """Bring in what these nodes hold back.

    `nodes` are ids in hex, `folder` is the run's. Waits at most `within_s` for all of them. A node
    that `forgets` deletes its journals when they are here: nobody else may need them any more.
    """
    asked = {}
    for node in nodes:
        told = (run, fetching.reached(folder, node), within_s / 2)
        asked[_on(ray, node, roar_ray_sweep).remote(*told)] = node
    ready, silent = ray.wait(list(asked), num_returns=len(asked), timeout=within_s)
    for answer in silent:
        ray.cancel(answer, force=True)
    forgotten = []
    for answer in ready:
        try:
            pieces, hashed = ray.get(answer)
        except ray.exceptions.RayError:
            silent.append(answer)
            continue
        lay_down(folder, asked[answer], pieces, hashed)
        if forgets:
            forgotten.append(_on(ray, asked[answer], roar_ray_forget).remote(run))
    if forgotten:
        ray.wait(forgotten, num_returns=len(forgotten), timeout=within_s / 4)
    tasks = [task_of(answer) for answer in (*asked, *forgotten)]
    return Outcome(sorted(asked[answer] for answer in silent), tasks)


def tasks(
    ray: Any, job: str, within_s: float = 20.0
) -> tuple[list[tuple[str, str, int]] | None, list[str]]:
    """The attempts of which Ray knows, asked for by one of ours, which is given, too.

    For a client, which cannot ask by itself.
    """
    roar_ray_known.__module__ = NAME
    ask = ray.remote(roar_ray_known).options(name=NAME, num_cpus=0, max_retries=0)
    answer = ask.remote(job, NAME)
    return ray.get(answer, timeout=within_s), [task_of(answer)]


def _on(ray: Any, node: str, function: Any) -> Any:
    """The function as a task of ours that runs on this node or nowhere."""
    function.__module__ = NAME
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    return ray.remote(function).options(
        name=NAME,
        num_cpus=0,
        max_retries=0,
        scheduling_strategy=strategy(node_id=node, soft=False),
    )


def lay_down(
    folder: str, node: str, pieces: Iterable[tuple[str, int, bytes]], hashed: Iterable[str]
) -> None:
    """Put what a node gave where `fetching` would have put it."""
    for stream, offset, data in pieces:
        fetching.lay_down(folder, node, stream, offset, data)
    text = "".join(f"{line}\n" for line in hashed)
    if text:
        path = os.path.join(folder, places.NODES, node, places.SWEPT)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "w", encoding="ascii") as target:
            target.write(text)


def roar_ray_sweep(run: str, reached: Mapping[str, int], hash_within_s: float) -> Any:
    """Runs in a worker, whose agent is there under this name; by value, as no module has it."""
    from _roar_ray_agent import sweep  # type: ignore[import-not-found]

    return sweep.swept(run, reached, hash_within_s)


def roar_ray_forget(run: str) -> None:
    """Runs in a worker as well, when what it deletes is with the driver."""
    from _roar_ray_agent import sweep

    sweep.forget(run)


def roar_ray_known(job: str, without: str) -> Any:
    """Runs in a worker, which is a member of the cluster."""
    import ray
    from _roar_ray_agent import known

    return known.tasks(ray, job, without)


# What workers tell of our own tasks: by the names of their functions.
FUNCTIONS = frozenset(each.__name__ for each in (roar_ray_sweep, roar_ray_forget, roar_ray_known))

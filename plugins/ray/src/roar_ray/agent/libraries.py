"""How tasks of Ray's own libraries are told: by what a user knows of them.

A task of Ray Data bears its operators' names, a call on a worker of Train its rank, one on a trial
of Tune the trial. What runs none of the user's code is the platform's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Group = Callable[[Sequence[Any]], str]

_OPERATORS = "ray.data._internal."
_INFRASTRUCTURE = (
    "ray.data._internal.cluster_autoscaler",
    "ray.data._internal.datasource",
    "ray.data._internal.execution.autoscaling_requester",
    "ray.data._internal.metadata_exporter",
    "ray.data._internal.stats",
)


# What each worker of Train does for the user, of all that is asked of it.
_TRAIN = "ray.train.v2._internal."
_TRAINING = "RayTrainWorker.run_train_fn"
_OF_USERS = (_TRAINING, "RayTrainWorker.execute")


def is_infrastructure(module: str, name: str) -> bool:
    """Whether what is defined there keeps the platform going, and no more."""
    if module.startswith(_TRAIN):
        return name not in _OF_USERS
    return module.startswith(_INFRASTRUCTURE)


def is_outlived(module: str, name: str) -> bool:
    """Whether a call only starts the work, in threads that go on when it has returned."""
    return module.startswith(_TRAIN) and name == _TRAINING


def is_named_by_label(module: str) -> bool:
    """Whether the name that was given to a task says more than that of its function."""
    return module.startswith(_OPERATORS) and not module.startswith(_INFRASTRUCTURE)


def group_in(module: str) -> Group | None:
    """What tells the calls of an actor that is defined there apart; None where nothing does."""
    if module.startswith("ray.tune."):
        return _trial
    if module.startswith("ray.train."):
        return _rank
    return None


def _trial(arguments: Sequence[Any]) -> str:
    name = getattr(arguments[0], "trial_id", None) if arguments else None
    return f"trial {name}" if isinstance(name, str) and name else ""


def _rank(_: Sequence[Any]) -> str:
    import sys

    # Where Train keeps what each of its workers is, once that is known.
    context = sys.modules.get("ray.train.v2._internal.execution.context")
    known = getattr(context, "_train_context", None)
    return "" if known is None else f"rank {known.get_world_rank()}"

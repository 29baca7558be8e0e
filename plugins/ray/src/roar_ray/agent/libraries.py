"""How tasks of Ray's own libraries are told: by what a user knows of them.

A task of Ray Data bears its operators' names, a call on a worker of Train its rank, one on a trial
of Tune the trial and the user's function. What runs none of the user's code is the platform's.
"""

from __future__ import annotations

import functools
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    # What a call's arguments say of it, those given by name included.
    Telling = Callable[[Sequence[Any], Mapping[str, Any]], tuple[str, str, bool]]

_DATA = "ray.data._internal."
_INFRASTRUCTURE = (
    "ray.data._internal.block_batching",
    "ray.data._internal.cluster_autoscaler",
    "ray.data._internal.datasource",
    "ray.data._internal.execution.autoscaling_requester",
    "ray.data._internal.execution.node_trackers",
    "ray.data._internal.execution.operators.shuffle_operators.disk_shuffle_runtime",
    "ray.data._internal.iterator.stream_split_iterator",
    "ray.data._internal.memory_tracing",
    "ray.data._internal.metadata_exporter",
    "ray.data._internal.stats",
    "ray.data._internal.usage",
)
# What Data does between its operators, wherever it keeps it.
_BETWEEN_OPERATORS = (
    *("_get_arrow_schema_from_block", "_get_num_rows", "_get_num_rows_and_bytes"),
    *("_sample_block", "_split_single_block", "get_location"),
)

# What each worker of Train does for the user, of all that is asked of it.
_TRAIN = "ray.train.v2._internal."
_TRAINING = "RayTrainWorker.run_train_fn"
_CARRIES = "execute"
_OF_USERS = (_TRAINING, f"RayTrainWorker.{_CARRIES}")
_CONTEXT = f"{_TRAIN}execution.context"

_TUNE = "ray.tune."
_TRAINABLE = "ray.tune.trainable.trainable"
# The class that Tune makes of a user's function, and what it asks of a trial for itself.
_OF_A_FUNCTION = "ImplicitFunc"
_ASKED_BY_TUNE = "get_auto_filled_metrics"
_TRIAL_INFO = "__trial_info__"
_NOTHING = ("", "", False)


def is_infrastructure(module: str, name: str) -> bool:
    """Whether what is defined there keeps the platform going, and no more."""
    if module.startswith(_TRAIN):
        return name not in _OF_USERS
    if module.startswith(_INFRASTRUCTURE):
        return True
    return module.startswith(_DATA) and name.rpartition(".")[2] in _BETWEEN_OPERATORS


def outcome_in(module: str, name: str) -> Callable[[], BaseException | None] | None:
    """What a call came to which only starts the work, in threads that go on when it has returned.

    None for every other: its own end is all there is to know.
    """
    return _trained if module.startswith(_TRAIN) and name == _TRAINING else None


def is_named_by_label(module: str) -> bool:
    """Whether the name that was given to a task says more than that of its function."""
    return module.startswith(_DATA) and not module.startswith(_INFRASTRUCTURE)


def telling_in(module: str, method: str) -> Telling | None:
    """What tells the calls of an actor's method apart; None where nothing does.

    It gives the group of a call, what is called in the place of the actor's class, and whether it
    is the platform's own; empty and False say nothing.
    """
    if module.startswith("ray.train."):
        return functools.partial(_ranked, method)
    # A user's trial is of a class derived from Tune's, which then is there before it.
    return functools.partial(_tried, method) if _TRAINABLE in sys.modules else None


def _tried(
    method: str, arguments: Sequence[Any], named: Mapping[str, Any]
) -> tuple[str, str, bool]:
    trial = arguments[0] if arguments else None
    if not isinstance(trial, sys.modules[_TRAINABLE].Trainable):
        return _NOTHING
    # It is made, and made over to another trial, with a configuration that names the trial.
    configuration = [*arguments[1:2], named.get("config"), named.get("new_config")]
    about = [each[_TRIAL_INFO] for each in configuration if _names_a_trial(each)]
    known = getattr((*about, getattr(trial, "_trial_info", None))[0], "trial_id", None)
    group = f"trial {known}" if isinstance(known, str) and known else ""
    made = type(trial)
    is_function = made.__name__ == _OF_A_FUNCTION and made.__module__.startswith(_TUNE)
    function = getattr(trial, "_name", None) if is_function else None
    return group, function if isinstance(function, str) else "", method == _ASKED_BY_TUNE


def _names_a_trial(configuration: Any) -> bool:
    return isinstance(configuration, dict) and _TRIAL_INFO in configuration


def _ranked(method: str, arguments: Sequence[Any], _: Mapping[str, Any]) -> tuple[str, str, bool]:
    # Where Train keeps what each of its workers is, once that is known.
    known = getattr(sys.modules.get(_CONTEXT), "_train_context", None)
    rank = "" if known is None else f"rank {known.get_world_rank()}"
    is_own = method == _CARRIES and len(arguments) > 1 and _is_of_ray(arguments[1])
    return rank, "", is_own


def _is_of_ray(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__module__", "")).startswith("ray.")


def _trained() -> BaseException | None:
    """What the user's training function raised, which Train keeps for whoever asks its worker."""
    context = getattr(sys.modules.get(_CONTEXT), "_train_context", None)
    if context is None:
        return None
    raised: BaseException | None = context.execution_context.training_thread_runner.get_error()
    # Train's own wrapping of it says only that the user's code raised.
    return getattr(raised, "_base_exc", raised)

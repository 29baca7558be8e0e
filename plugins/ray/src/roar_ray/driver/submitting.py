"""Jobs that this process submits take with them what makes their drivers take part.

`ray job submit` and `JobSubmissionClient` both end in one method, in which all that the user has
said of the runtime environment, in whatever form, has become one dictionary. To it is added a
folder that each Python of the job runs first: what `roar run` puts in front of a local command.
"""

from __future__ import annotations

import functools
import json
import os
import sys

from roar_ray.driver import carrying, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from roar_ray.driver.faults import Faults
    from roar_ray.driver.told import Told

_QUIET = "ROAR_NO_TELEMETRY"


def join(client: Any, told: Told, faults: Faults, folder: str) -> None:
    """Put ourselves around the methods by which Ray's client submits, and asks how a job is."""
    client.submit_job = _around_submit(client.submit_job, told, faults, folder)
    for name in ("get_job_info", "get_job_status"):
        setattr(client, name, _around_asking(getattr(client, name), told, faults))


def _around_submit(
    submit: Callable[..., Any], told: Told, faults: Faults, folder: str
) -> Callable[..., Any]:
    @functools.wraps(submit)
    def submit_job(self: Any, *arguments: Any, **named: Any) -> Any:
        changed = dict(named)
        with faults.kept("adding to a submitted job"):
            package = carrying.packed(told, folder)
            changed["runtime_env"] = with_roar(named.get("runtime_env"), package)
        found = submit(self, *arguments, **changed)
        with faults.kept("writing down a submission"):
            write(told.folder, found, address=self.get_address())
        return found

    return submit_job


def _around_asking(ask: Callable[..., Any], told: Told, faults: Faults) -> Callable[..., Any]:
    @functools.wraps(ask)
    def asked(self: Any, job_id: str, *arguments: Any, **named: Any) -> Any:
        found = ask(self, job_id, *arguments, **named)
        with faults.kept("writing down how a submitted job is"):
            if os.path.exists(path_of(told.folder, job_id)):
                status = getattr(found, "status", found)
                write(told.folder, job_id, address=self.get_address(), status=status.value)
        return found

    return asked


def with_roar(runtime_env: Mapping[str, Any] | None, package: str) -> dict[str, Any]:
    """The user's runtime environment, with the folder `package` before their own modules.

    Nothing of theirs is changed: an environment variable that they set stays as they set it.
    """
    found = carrying.with_package(runtime_env, package)
    found["env_vars"] = {_QUIET: "1", **(found.get("env_vars") or {})}
    return found


def path_of(folder: str, submission: str) -> str:
    """Where the run's folder tells of a job that was submitted."""
    return os.path.join(folder, places.SUBMISSIONS, f"{submission}.json")


def write(folder: str, submission: str, **facts: str) -> None:
    """Let roar know that there is such a job, whatever becomes of it, and what is known of it."""
    document = {"submission": submission, "python": sys.executable, **facts}
    places.write_whole(path_of(folder, submission), document)


def submission() -> str:
    """Under which id this process was submitted; empty when it was not."""
    try:
        told = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
        return str(told["metadata"]["job_submission_id"])
    except (ValueError, KeyError, TypeError):
        return ""

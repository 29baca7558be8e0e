"""Jobs that this process submits take with them what makes their drivers take part.

`ray job submit` and `JobSubmissionClient` both end in one method, in which all that the user has
said of the runtime environment, in whatever form, has become one dictionary. To it is added a
folder that each Python of the job runs first: what `roar run` puts in front of a local command.
"""

from __future__ import annotations

import functools
import os

from roar_ray.driver import carrying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from roar_ray.driver.faults import Faults
    from roar_ray.driver.told import Told

_QUIET = "ROAR_NO_TELEMETRY"


def join(client: Any, told: Told, faults: Faults, folder: str) -> None:
    """Put ourselves around the method by which Ray's client submits."""
    client.submit_job = _around(client.submit_job, told, faults, folder)


def _around(
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
            _write_down(told.folder, str(found), self.get_address())
        return found

    return submit_job


def with_roar(runtime_env: Mapping[str, Any] | None, package: str) -> dict[str, Any]:
    """The user's runtime environment, with the folder `package` before their own modules.

    Nothing of theirs is changed: an environment variable that they set stays as they set it.
    """
    found = carrying.with_package(runtime_env, package)
    found["env_vars"] = {_QUIET: "1", **(found.get("env_vars") or {})}
    return found


def _write_down(folder: str, submission: str, address: str) -> None:
    path = os.path.join(folder, "submissions")
    os.makedirs(path, mode=0o700, exist_ok=True)
    with open(os.path.join(path, submission), "w", encoding="utf-8") as target:
        target.write(address)

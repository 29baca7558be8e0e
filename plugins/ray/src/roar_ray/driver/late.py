"""For a driver that was killed, and for jobs that were submitted: ask the cluster afterwards.

Run by roar, in the Python that had been the driver's or the submitting client's:

    python -c "… from roar_ray.driver import late; late.main()" <run's folder>/python

Drivers whose cluster outlives them left what other nodes had sent in its store: it is fetched.
Jobs are asked for their state. What is found out is added to the documents.
"""

from __future__ import annotations

import json
import os
import sys

from roar_ray.agent import failing, shipping
from roar_ray.agent.store import store_at
from roar_ray.driver import fetching, places, reaching
from roar_ray.driver import told as telling
from roar_ray.driver.faults import Faults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def main() -> None:
    """Do all that can be done; what fails is noted where the driver's faults are."""
    told = telling.read(sys.argv[1])
    faults = Faults(told.folder)
    for path, document in _documents(told.folder, places.DRIVERS):
        if document["has_ended"] or document["is_own"] or document["python"] != sys.executable:
            continue
        with faults.kept("fetching from the cluster of a driver that was killed"):
            _authenticate(document)
            store = _store_at(document["address"])
            fetching.fetch(store, told.run, told.folder)
            store.delete_all(shipping.prefix_of(told.run))
            found = {"unobserved": failing.told(store, told.run), "was_fetched_late": True}
            places.write_whole(path, {**document, **found})
    for path, document in _documents(told.folder, places.SUBMISSIONS):
        if document["python"] != sys.executable:
            continue
        with faults.kept("asking after a submitted job"):
            places.write_whole(path, {**document, **_told_of(document)})


def _store_at(address: str) -> Any:
    """The store of a cluster, of which the address is Ray's own or that for Ray Client."""
    if not address.startswith(reaching.CLIENT):
        return store_at(address)
    import ray
    from ray.util.client import ray as stub

    ray.init(address, log_to_driver=False)
    return reaching.ClientStore(stub.get_context().client_worker)


def _told_of(document: dict[str, Any]) -> dict[str, Any]:
    """How a job is, or that there is nobody any more who could say so."""
    try:
        return {**_state(document), "is_unreachable": False}
    except (ConnectionError, RuntimeError) as error:
        # What a busy server raises, and one that has been started anew and knows no such job.
        if isinstance(error, ConnectionError) or "status code 404" in str(error):
            return {"is_unreachable": True}
        raise


def _state(document: dict[str, Any]) -> dict[str, Any]:
    """How a job is, and whether its program has been a driver of Ray at all."""
    from ray.job_submission import JobSubmissionClient

    client = JobSubmissionClient(document["address"])
    about = client.get_job_info(document["submission"])
    return {"status": str(about.status.value), "was_driver": about.driver_info is not None}


def _authenticate(document: dict[str, Any]) -> None:
    """With the token that the driver had found by itself, as Ray's own clients do."""
    if document.get("auth_mode"):
        os.environ["RAY_AUTH_MODE"] = document["auth_mode"]
        return
    try:
        from ray._private.authentication.authentication_token_setup import (
            maybe_enable_token_auth_if_token_available,
        )
    except ImportError:  # a Ray that knows no tokens
        return
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def _documents(folder: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    here = os.path.join(folder, name)
    for file in sorted(os.listdir(here)) if os.path.isdir(here) else ():
        if file.endswith(".json"):
            path = os.path.join(here, file)
            with open(path, encoding="utf-8") as source:
                yield path, json.load(source)

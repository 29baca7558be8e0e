"""Servers that speak the protocols of Google Cloud Storage and of the Hugging Face Hub."""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from google_server import emulator, google_server
from hub_server import TOKEN, Hub, hub_server

from roar_transfers.google_storage.transfer import GoogleStorageTransfer


@pytest.fixture(scope="session")
def google() -> Iterator[str]:
    """The URL of a server of Google Cloud Storage's protocol."""
    with google_server() as url:
        yield url


@pytest.fixture(scope="session")
def google_that_resumes() -> Iterator[str]:
    """The URL of another, which can be asked how far an upload has come."""
    with emulator() as url:
        yield url


@pytest.fixture
def bucket(google: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, which the environment leads to, of a name that no test had before."""
    return new_bucket(google, monkeypatch)


@pytest.fixture
def bucket_that_resumes(google_that_resumes: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on the other server."""
    return new_bucket(google_that_resumes, monkeypatch)


def new_bucket(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    from google.cloud.storage import Client

    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "GCLOUD_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    # Else the library asks about each bucket, for traces, in threads that nobody waits for.
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    with closing(Client(project="tests")) as client:
        client.create_bucket(name)
    return name


@pytest.fixture
def transfer() -> Iterator[GoogleStorageTransfer]:
    """The transfer to prove, which holds no connection afterwards."""
    with closing(GoogleStorageTransfer()) as transfer:
        yield transfer
    gc.collect()  # the library's errors refer to each other, and to their connections


@pytest.fixture(scope="session")
def hub_on_loopback() -> Iterator[Hub]:
    """A hub with nothing in it."""
    with hub_server() as hub:
        yield hub


@pytest.fixture
def hub(hub_on_loopback: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the library talks to as somebody who is signed in."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    # The library has read its environment when it was imported.
    template = hub_on_loopback.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub_on_loopback.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield hub_on_loopback
    close_session()


@pytest.fixture
def repository(hub: Hub) -> str:
    """The URL of a data set's repository, of a name that no test had before."""
    name = f"datasets/somebody/numbers-{uuid.uuid4().hex[:12]}"
    hub.create(name)
    return f"hf://{name}"

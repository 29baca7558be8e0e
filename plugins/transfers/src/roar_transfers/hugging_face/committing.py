"""One file, in one commit of its own: it is there whole, or the repository is as it was."""

from __future__ import annotations

from typing import Any

from roar_core.errors import AlreadyThereError, RoarError
from roar_core.hookspecs import RemoteObject, Upload
from roar_transfers.hugging_face.addresses import Address
from roar_transfers.hugging_face.failures import explaining
from roar_transfers.hugging_face.files import commit_of, described

# Between the look and the commit somebody else may commit: so often it is tried, each with a look.
_TRIES = 10


def put(api: Any, upload: Upload, address: Address, one_commit_at_a_time: Any) -> RemoteObject:
    """Upload a file and commit it; the lock keeps uploads of this process from being in the way."""
    from huggingface_hub import CommitOperationAdd

    with explaining("write", upload.url):
        if not upload.replace:
            _look(api, upload, address, commit_of(api, address))
        try:
            addition = CommitOperationAdd(address.path, str(upload.source))
        except OSError as error:
            raise RoarError(f"cannot read {upload.source}: {error.strerror}") from error
        if addition.upload_info.size != upload.size:
            raise RoarError(f"{upload.source} has changed its size meanwhile; put it again")
        # What is large goes now; what has arrived before is not sent again.
        api.preupload_lfs_files(
            address.id,
            [addition],
            repo_type=address.kind,
            revision=address.revision,
            free_memory=False,
        )
        upload.advance(upload.size)
        with one_commit_at_a_time:
            return _commit(api, upload, address, addition)


def _commit(api: Any, upload: Upload, address: Address, addition: Any) -> RemoteObject:
    from huggingface_hub.errors import HfHubHTTPError

    for left in reversed(range(_TRIES)):
        head = commit_of(api, address)
        if not upload.replace:
            _look(api, upload, address, head)
        try:
            made = api.create_commit(
                address.id,
                [addition],
                commit_message=f"Put {address.path}",
                repo_type=address.kind,
                revision=address.revision,
                parent_commit=head,
            )
        except HfHubHTTPError as error:
            if left and error.response.status_code in (409, 412):
                continue  # the head is another by now
            raise
        found = described(api, address, made.oid)
        if found is None:
            raise RoarError(
                f"the hub has left out {upload.url}: its .gitignore says so; change it, or the name"
            )
        return found
    raise AssertionError("the last try raises")


def _look(api: Any, upload: Upload, address: Address, commit: str) -> None:
    if described(api, address, commit) is not None:
        raise AlreadyThereError(f"there is a file at {upload.url} already")

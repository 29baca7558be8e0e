"""Files as the hub describes them: listed, and read in ranges, at one commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roar_core.errors import NotFoundError, RoarError, TemporaryError
from roar_core.hookspecs import RemoteObject
from roar_transfers.hugging_face.addresses import Address, address_of, file_of
from roar_transfers.hugging_face.failures import explaining

_PIECE = 1 << 20
_TIMEOUT_S = 60


def listed(api: Any, url: str) -> Iterator[RemoteObject]:
    """Every file at `url` or below it. NotFoundError when there is none."""
    address = address_of(url)
    with explaining("list", url):
        commit = commit_of(api, address)
        file = described(api, address, commit) if address.path else None
        if file is not None:
            yield file
            return
        tree = api.list_repo_tree(
            address.id,
            address.path or None,
            recursive=True,
            revision=commit,
            repo_type=address.kind,
        )
        files = [entry for entry in tree if hasattr(entry, "size")]  # folders have none
        for entry in sorted(files, key=lambda entry: str(entry.path)):
            yield _object(address, entry, commit)
    if not files:
        raise NotFoundError(f"there is nothing at {url}; check its spelling")


def commit_of(api: Any, address: Address) -> str:
    """The commit that a revision stands for now. Raises the library's errors."""
    about = api.repo_info(address.id, repo_type=address.kind, revision=address.revision)
    if not about.sha:
        raise NotFoundError(f"{address.repository} has no commit yet")
    return str(about.sha)


def described(api: Any, address: Address, commit: str) -> RemoteObject | None:
    """One file at a commit, None when there is none. Raises the library's errors."""
    entries = api.get_paths_info(
        address.id, [address.path], revision=commit, repo_type=address.kind
    )
    for entry in entries:
        if entry.path == address.path and hasattr(entry, "size"):
            return _object(address, entry, commit)
    return None


def pieces(api: Any, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
    """Yield `length` bytes from `start` on, None: all the rest, as of the commit of `source`."""
    import huggingface_hub

    library: Any = huggingface_hub.utils
    address = file_of(source.url)
    url = huggingface_hub.hf_hub_url(
        address.id,
        address.path,
        repo_type=address.kind,
        revision=source.version or address.revision,
        endpoint=api.endpoint,
    )
    headers = dict(library.build_hf_headers())
    headers["Accept-Encoding"] = "identity"
    # An empty range cannot be asked for: then all is, and nothing of it taken.
    ranged = length != 0 and source.size != 0 and (start > 0 or length is not None)
    if ranged:
        last = "" if length is None else str(start + length - 1)
        headers["Range"] = f"bytes={start}-{last}"
    with (
        explaining("read", source.url),
        library.get_session().stream(
            "GET", url, headers=headers, timeout=_TIMEOUT_S, follow_redirects=True
        ) as answer,
    ):
        library.hf_raise_for_status(answer)
        if start and ranged and answer.status_code != 206:
            raise RoarError(f"{source.url} is on a hub that gives no parts of files")
        got = 0
        if length == 0:
            return
        for piece in answer.iter_bytes(_PIECE):
            got += len(piece)
            yield piece
        if length is not None and got != length:
            raise TemporaryError(
                f"cannot read {source.url}: it ended after {got} of {length} bytes"
            )


def _object(address: Address, entry: Any, commit: str) -> RemoteObject:
    """An entry of the hub's as roar's; large files are stored by their SHA-256."""
    digests = {"sha256": str(entry.lfs.sha256)} if entry.lfs is not None else {}
    is_itself = entry.path == address.path
    name = entry.path.rpartition("/")[2] if is_itself else entry.path[len(address.path) :]
    return RemoteObject(
        f"{address.repository}/{entry.path}",
        entry.size,
        commit,
        entry.blob_id,
        digests,
        name=name.removeprefix("/"),
    )

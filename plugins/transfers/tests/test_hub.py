"""What the contract of a transfer does not say: revisions, others' commits, what goes wrong."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest
from hub_server import Hub

from roar_core.errors import AlreadyThereError, NotFoundError, RoarError, TemporaryError
from roar_core.hookspecs import RemoteObject, Upload
from roar_transfers.hugging_face.addresses import address_of
from roar_transfers.hugging_face.transfer import HuggingFaceTransfer

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use 'content=<...>' to upload:DeprecationWarning"  # the library warns of itself
)
LARGE = bytes(range(256)) * (1 << 13)


def put(
    content: bytes, url: str, tmp_path: Path, *, replace: bool = False, name: str = "a"
) -> RemoteObject:
    (source := tmp_path / name).write_bytes(content)
    (state := tmp_path / "state").mkdir(exist_ok=True)
    upload = Upload(source, url, len(content), state, replace, lambda count: None)
    return HuggingFaceTransfer().put(upload)


def got(found: RemoteObject) -> bytes:
    return b"".join(HuggingFaceTransfer().read(found, 0, None))


def test_a_version_is_a_commit_and_large_files_bring_their_digest(
    repository: str, tmp_path: Path
) -> None:
    old = put(LARGE, f"{repository}/a.bin", tmp_path)
    assert old.digests == {"sha256": hashlib.sha256(LARGE).hexdigest()}
    new = put(b"small", f"{repository}/a.bin", tmp_path, replace=True)
    assert (got(old), got(new)) == (LARGE, b"small")
    assert old.version is not None
    [found] = HuggingFaceTransfer().list(f"{repository}@{old.version}/a.bin")
    assert (found.url, found.size) == (f"{repository}@{old.version}/a.bin", len(LARGE))
    assert found.digests == old.digests


def test_commits_of_others_are_not_undone(hub: Hub, repository: str, tmp_path: Path) -> None:
    hub.have_others_commit(2)
    put(b"ours", f"{repository}/a", tmp_path)
    names = [found.name for found in HuggingFaceTransfer().list(repository)]
    assert names == [".gitattributes", "a", "other-0", "other-1"]


def test_what_came_meanwhile_is_not_replaced(repository: str, tmp_path: Path) -> None:
    (source := tmp_path / "a").write_bytes(b"ours")

    def come(count: int) -> None:
        put(b"theirs", f"{repository}/a", tmp_path, name="b")

    transfer = HuggingFaceTransfer()
    (tmp_path / "state").mkdir()
    upload = Upload(source, f"{repository}/a", 4, tmp_path / "state", False, come)
    with pytest.raises(AlreadyThereError):
        transfer.put(upload)
    [found] = transfer.list(f"{repository}/a")
    assert got(found) == b"theirs"


def test_what_gitignore_leaves_out_is_told(repository: str, tmp_path: Path) -> None:
    with pytest.raises(RoarError, match=r"\.gitignore"):
        put(b"ours", f"{repository}/a.ignored", tmp_path)


def test_no_repository_revision_or_token(
    repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = HuggingFaceTransfer()
    with pytest.raises(NotFoundError, match="there is no repository for hf://some/thing"):
        list(transfer.list("hf://some/thing"))
    with pytest.raises(NotFoundError, match="there is no such revision"):
        list(transfer.list(f"{repository}@v9"))
    monkeypatch.setenv("HF_TOKEN", "hf_another_unreal_token")
    with pytest.raises(RoarError, match="hf auth login") as error:
        put(b"ours", f"{repository}/a", tmp_path)
    assert "\n" not in str(error.value)
    assert "another" not in str(error.value)


def test_nobody_listens(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    with pytest.raises(TemporaryError, match="HF_ENDPOINT"):
        list(HuggingFaceTransfer().list("hf://datasets/owner/repo"))


def test_urls_name_a_kind_a_revision_and_a_path() -> None:
    address = address_of("hf://datasets/owner/repo@refs%2Fpr%2F1/a/b@c.txt")
    assert address[1:] == ("dataset", "owner/repo", "refs/pr/1", "a/b@c.txt")
    assert address_of("hf://owner/repo@refs/pr/1/a")[3:] == ("refs/pr/1", "a")
    assert address_of("hf://spaces/owner/repo/")[1:] == ("space", "owner/repo", None, "")
    assert address_of("hf://models/owner/repo").kind == "model"


@pytest.mark.parametrize(
    "url",
    ["hf://", "hf://gpt2", "hf://datasets/owner", "hf://a/b/../c", "hf://a/b//c", "hf://-/b"],
)
def test_urls_that_name_nothing(url: str) -> None:
    with pytest.raises(RoarError):
        list(HuggingFaceTransfer().list(url))


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(RoarError, match="UTF-8"):
        HuggingFaceTransfer().below("hf://a/b", os.fsdecode(b"\xff"))

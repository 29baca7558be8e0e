"""Ask the project's own checkout, without changing it, what a commit holds."""

from __future__ import annotations

import hashlib
import os
import re

from blake3 import blake3

from roar_core.environment.checkout import Checkout, find_checkout, git_command
from roar_core.environment.output_of import output_of, program

_TIMEOUT_S = 60.0
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def blob_name(content: bytes, *, uses_sha256: bool = False) -> str:
    """git's name of a file with this content: git-hash-object(1)."""
    head = b"blob %d\0" % len(content)
    if uses_sha256:
        return hashlib.sha256(head + content).hexdigest()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


class History:
    """The commits of one checkout. Paths of files are told from its top level."""

    def __init__(self, checkout: Checkout, git: str) -> None:
        self.root = checkout.root
        self._argv, self._extra = git_command(git, checkout)
        self._files: dict[str, dict[str, str]] = {}

    @classmethod
    def around(cls, folder: str) -> History | None:
        """The checkout that holds `folder`; None when there is none, or git cannot be asked."""
        checkout = find_checkout(folder)
        git = program("git")
        if checkout is None or git is None:
            return None
        try:
            return cls(checkout, git)
        except ValueError:
            return None

    def has(self, commit: str) -> bool:
        """Whether the commit is in the repository."""
        return (
            bool(_COMMIT.fullmatch(commit))
            and self._ask("cat-file", "-e", f"{commit}^{{commit}}")[0]
        )

    def tracks(self, commit: str, path: str) -> bool:
        """Whether the commit has a file at this path."""
        return path in self._listing(commit)

    def digest(self, commit: str, path: str) -> str | None:
        """`blake3:<hex>` of the file as the commit has it, before any content filter."""
        blob = self._listing(commit).get(path)
        if blob is None:
            return None
        is_there, content = self._ask("cat-file", "blob", blob)
        return f"blake3:{blake3(content).hexdigest()}" if is_there else None

    def blob(self, commit: str, path: str) -> str | None:
        """git's own name of the file's content, None when the commit has no such file."""
        return self._listing(commit).get(path)

    def naming(self, commit: str, text: str) -> list[str]:
        """Paths of the files in which the commit has `text`."""
        _, out = self._ask("grep", "-l", "-z", "-I", "-F", "-e", text, commit, "--")
        return [
            os.fsdecode(entry).removeprefix(f"{commit}:") for entry in out.split(b"\0") if entry
        ]

    def submodules(self, commit: str) -> dict[str, str]:
        """Paths of submodules, and the commits at which the commit has them."""
        self._listing(commit)
        return {
            path: blob.removeprefix("commit ")
            for path, blob in self._files[commit].items()
            if blob.startswith("commit ")
        }

    def _listing(self, commit: str) -> dict[str, str]:
        if commit not in self._files:
            is_there, out = self._ask("ls-tree", "-r", "-z", "--full-tree", commit)
            self._files[commit] = {}
            for entry in out.split(b"\0") if is_there else ():
                about, _, name = entry.partition(b"\t")
                if name:
                    _, kind, blob = about.decode("ascii").split(" ")
                    is_module = kind == "commit"
                    self._files[commit][os.fsdecode(name)] = f"commit {blob}" if is_module else blob
        return self._files[commit]

    def _ask(self, *words: str) -> tuple[bool, bytes]:
        output = output_of([*self._argv, *words], _TIMEOUT_S, self._extra)
        return output.ok, output.out

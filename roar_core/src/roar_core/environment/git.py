"""The state of the git checkout a run starts from: commit, branch, remote, uncommitted changes.

One `git status` is started early and read late, so that it runs while roar does other things. On a
repository of 1,000 files that is 4 ms; submodules get a status of their own, at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from roar_core.environment.checkout import Checkout, find_checkout, git_command, submodules_of
from roar_core.environment.git_config import remote_of
from roar_core.environment.git_index import UnreadableIndex, compared_files
from roar_core.environment.output_of import Helper, Output, output_of, program
from roar_core.model.environment import GitState

STATUS_TIMEOUT_S = 30.0
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "-z", "--no-ahead-behind"),
    # A submodule's content is looked at by a status of its own, under its own safe arguments.
    *("--untracked-files=all", "--no-renames", "--ignore-submodules=dirty"),
)


class Change(NamedTuple):
    """A tracked path (absolute) that differs from HEAD; `status` is git's XY, e.g. `.M`."""

    path: str
    status: str


class GitStatus(NamedTuple):
    """What `git status` says of one checkout. Paths are absolute, `os.fsdecode`d.

    `commit` is None before the first one, `branch` on a detached HEAD. `changes` and `untracked`
    (not ignored) include those of submodules, each of which is a status of its own too.
    """

    checkout: Checkout
    commit: str | None
    branch: str | None
    remote: str | None
    changes: tuple[Change, ...] = ()
    untracked: tuple[str, ...] = ()
    submodules: tuple[GitStatus, ...] = ()

    @property
    def root(self) -> str:
        """The top level of the checkout."""
        return self.checkout.root

    def each(self) -> Iterator[GitStatus]:
        """This status and those of all submodules, however deep."""
        yield self
        for inner in self.submodules:
            yield from inner.each()

    def state(self, dirty: bool, snapshot: str | None = None) -> GitState:
        """The part that a job records."""
        return GitState(self.commit, self.branch, self.remote, dirty, snapshot)


class GitProbe:
    """A look at the checkout around a directory, under way.

    `problem` says in a sentence why there is a checkout but no status: git is missing, distrusts it
    or cannot read it; or why there is none of a submodule. Outside any checkout there is neither.
    `close` when done.
    """

    def __init__(self, checkout: Checkout | None) -> None:
        self.checkout = checkout
        self.problem: str | None = None
        self._status: GitStatus | None = None
        self._helper: Helper | None = None
        self._index: int | None = None
        self._inner: list[GitProbe] = []

    @classmethod
    def start(cls, cwd: str) -> GitProbe:
        """Begin to look at the checkout that holds `cwd`; returns at once and never raises."""
        probe = cls(find_checkout(cwd))
        probe._start()
        return probe

    def result(self) -> GitStatus | None:
        """The status, waiting for it if need be; None without a checkout or when git cannot say."""
        if self._helper is not None:
            helper, self._helper = self._helper, None
            output = helper.finish(STATUS_TIMEOUT_S)
            inner = [probe.result() for probe in self._inner]
            self.problem = self._complaint(output)
            if self.problem is None and self.checkout is not None:
                submodules = tuple(status for status in inner if status is not None)
                self._status = _parse(output.out, self.checkout, submodules)
                problems = (probe.problem for probe in self._inner)
                self.problem = next(filter(None, problems), None)
        return self._status

    def tracked_unmodified(self, paths: Iterable[str]) -> set[str]:
        """Those of `paths` (absolute) whose content at the start is that of the commit.

        Asked of the index as it was when the probe started, whatever the run has done to it since.
        Files that git was told not to compare (assume-unchanged, skip-worktree) are not among them.
        """
        status = self.result()
        if status is None or self.checkout is None or status.commit is None:
            return set()
        wanted = set(paths)
        changed = {change.path for change in status.changes}
        found = self._tracked(wanted) - changed
        for probe in self._inner:
            # One that stands at another commit than this checkout's commit names is held by none.
            if probe.checkout is not None and probe.checkout.root not in changed:
                found |= probe.tracked_unmodified(wanted)
        return found

    def close(self) -> None:
        """Let go of everything; ends a git that is still running."""
        for probe in self._inner:
            probe.close()
        if self._helper is not None:
            self._helper.abandon()
            self._helper = None
        if self._index is not None:
            os.close(self._index)
            self._index = None

    def _start(self) -> None:
        if self.checkout is None:
            return
        git = program("git")
        if git is None:
            self.problem = "git is not installed, so the commit of this checkout is not recorded"
            return
        self._index = _open_index(self.checkout)
        try:
            argv, extra = git_command(git, self.checkout)
            self._helper = Helper.start([*argv, *_STATUS], extra)
        except (OSError, ValueError) as error:
            self.problem = f"git was not asked about {self.checkout.root}: {error}"
            return
        for submodule in submodules_of(self.checkout):
            probe = GitProbe(submodule)
            probe._start()
            self._inner.append(probe)

    def _complaint(self, output: Output) -> str | None:
        root = self.checkout.root if self.checkout is not None else ""
        if output.cut:
            return f"git status took over {STATUS_TIMEOUT_S:.0f} s in {root}"
        if b"dubious ownership" in output.err:
            return (
                f"git does not trust {root}, which another user owns;"
                f" allow it with: git config --global --add safe.directory {root}"
            )
        if not output.ok or not output.out.startswith(b"# branch.oid "):
            reason = output.complaint.removeprefix("fatal: ") or f"exit status {output.status}"
            return f"git status failed in {root}: {reason}"
        return None

    def _tracked(self, wanted: set[str]) -> set[str]:
        """Those of `wanted` that this checkout's index has git compare."""
        if self.checkout is None or self._index is None:
            return set()
        root = os.fsencode(self.checkout.root) + b"/"
        relative = {
            encoded[len(root) :] for encoded in map(os.fsencode, wanted) if encoded.startswith(root)
        }
        if not relative:
            return set()
        try:
            index = _read_all(self._index)
            names = compared_files(index, relative, 32 if self.checkout.uses_sha256 else 20)
        except UnreadableIndex:
            names = relative & _listed_by_git(self.checkout)
        return {os.fsdecode(root + name) for name in names}


def _parse(out: bytes, checkout: Checkout, submodules: tuple[GitStatus, ...]) -> GitStatus:
    """Understand `git status --porcelain=v2 --branch -z --no-renames`."""
    headers: dict[str, str] = {}
    changes: list[Change] = []
    untracked: list[str] = []
    for entry in os.fsdecode(out).split("\0"):
        kind = entry[:2]
        if kind == "? ":
            # A nested repository ends in a slash: it is not this checkout's to keep.
            if not entry.endswith("/"):
                untracked.append(f"{checkout.root}/{entry[2:]}")
        elif kind in ("1 ", "u "):
            path = entry.split(" ", 8 if kind == "1 " else 10)[-1]
            changes.append(Change(f"{checkout.root}/{path}", entry[2:4]))
        elif kind == "# ":
            name, _, value = entry[2:].partition(" ")
            headers[name] = value
    for inner in submodules:
        changes += inner.changes
        untracked += inner.untracked
    commit = headers.get("branch.oid")
    branch = headers.get("branch.head")
    branch = None if branch == "(detached)" else branch
    return GitStatus(
        checkout,
        None if commit == "(initial)" else commit,
        branch,
        remote_of(checkout.settings, branch),
        tuple(changes),
        tuple(untracked),
        submodules,
    )


def _open_index(checkout: Checkout) -> int | None:
    """A descriptor of the index as it is now; git replaces the file and never changes it."""
    try:
        return os.open(f"{checkout.git_dir}/index", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _read_all(descriptor: int) -> bytes:
    parts = []
    at = 0
    while part := os.pread(descriptor, 1 << 24, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _listed_by_git(checkout: Checkout) -> set[bytes]:
    """What git itself says it tracks and compares, for an index that only it can read."""
    git = program("git")
    if git is None:
        return set()
    try:
        argv, extra = git_command(git, checkout)
        listing = output_of([*argv, "ls-files", "-z", "-v"], STATUS_TIMEOUT_S, extra)
    except (OSError, ValueError):
        return set()
    # git-ls-files(1), -v: H is cached; S is skip-worktree, lower case assume-unchanged.
    entries = listing.out.split(b"\0") if listing.ok else []
    return {entry[2:] for entry in entries if entry.startswith(b"H ")}

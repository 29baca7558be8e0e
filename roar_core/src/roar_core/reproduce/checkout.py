"""The target directory: a clone of its own, brought to each step's commit and snapshot.

A clone and no worktree: a worktree writes into the repository it belongs to (its list of worktrees,
its refs), and the original is not to be touched. On one file system git hard-links the objects.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence

from roar_core.environment.output_of import Helper, Output, program
from roar_core.errors import UnreproducibleError
from roar_core.project import Project, initialise
from roar_core.reproduce.history import History
from roar_core.reproduce.plan import Code, Plan
from roar_core.reproduce.snapshots import read_snapshot, unpack

SCRATCH = ".reproduce"
_TIMEOUT_S = 1800.0
_MOST_WORDS = 500
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
# The usual transports; `ext::` and other helpers run commands of the URL's choice.
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
}
APPLY = ("apply", "--whitespace=nowarn", "--binary")
_CHECKOUT = ("checkout", "--quiet", "--force", "--detach")
_NO_CODE = Code(None, None)
_WORDS = ("clone", "checkout", "fetch", "apply", "ls-files", "add")


class Target:
    """The directory that a reproduction happens in."""

    def __init__(self, plan: Plan, objects: str) -> None:
        self.root = plan.target
        self.project = plan.target_project
        self._plan = plan
        self._objects = objects
        self._code = _NO_CODE
        self._code_commit: str | None = None
        self._unpacked: list[str] = []
        self._git = program("git")

    def create(self) -> None:
        """Make the directory, with a clone when there is code. Raises `UnreproducibleError`."""
        require_empty(self.root)
        source = self._plan.source
        try:
            os.makedirs(self.root, mode=0o777, exist_ok=True)  # noqa: PTH103
            if source is not None:
                self._clone(clone_words(self.root, source.checkout or source.remote or ""))
            scratch = f"{self.root}/{SCRATCH}"
            os.makedirs(scratch, exist_ok=True)  # noqa: PTH103
            with open(f"{scratch}/.gitignore", "w", encoding="ascii") as file:  # noqa: PTH123
                file.write("*\n")
        except OSError as error:
            raise UnreproducibleError(
                f"{self.root} cannot be written ({error.strerror}); choose another with --into"
            ) from error

    def prepare_project(self) -> None:
        """Make the target a project of its own, with this checkout's settings."""
        from pathlib import Path

        os.makedirs(self.project, exist_ok=True)  # noqa: PTH103
        initialise(Project(Path(self.project)))
        settings = f"{self._plan.project}/.roar/config.toml"
        if os.path.isfile(settings):  # noqa: PTH113
            shutil.copyfile(settings, f"{self.project}/.roar/config.toml")

    def switch(self, code: Code, data: Sequence[str]) -> None:
        """Bring the code to a step's; `data` (relative to the project) keep the bytes they have.

        Raises `UnreproducibleError` when the commit or the snapshot cannot be had.
        """
        if code == self._code or (code.commit is None and code.snapshot is None):
            return
        if self._plan.source is None:
            raise UnreproducibleError("the commit that it ran is not to be had")
        kept = self._set_aside(data)
        try:
            for relative in self._unpacked:
                if os.path.lexists(f"{self.root}/{relative}"):
                    os.unlink(f"{self.root}/{relative}")  # noqa: PTH108
            self._unpacked = []
            if code.commit is not None:
                self._fetch(code.commit)
                self._run(*_CHECKOUT, code.commit)
                self._submodules(code.commit)
            self._code_commit = code.commit
            if code.snapshot is not None:
                self._apply(code.snapshot)
            self._code = code
        finally:
            self._put_back(kept)

    def _clone(self, words: list[str]) -> None:
        if self._plan.source and self._plan.source.remote and not self._plan.source.checkout:
            url = self._plan.source.remote
            if not is_url(url):
                raise UnreproducibleError(f"the recorded remote {url!r} is none to clone from")
        self._checked([self._require_git(), *_SAFE, *words])

    def _fetch(self, commit: str) -> None:
        """Fetch a commit that no branch leads to any more; a server may give it by its name."""
        own = History.around(self.root)
        if self._plan.source is None or self._plan.source.checkout or not own or own.has(commit):
            return
        if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
            try:
                self._run("fetch", "--quiet", "--no-tags", "origin", commit)
            except UnreproducibleError as error:
                raise UnreproducibleError(
                    f"commit {commit[:12]} is not in {self._plan.source.remote}, or no longer"
                ) from error

    def _apply(self, name: str) -> None:
        snapshot = read_snapshot(self._objects, name)
        if snapshot.patch:
            patch = f"{self.root}/{SCRATCH}/patch.diff"
            with open(patch, "wb") as file:  # noqa: PTH123
                file.write(snapshot.patch)
            # git refuses paths outside the tree and those beyond a symbolic link: git-apply(1).
            self._run(*APPLY, patch)
            listing = self._run("apply", "--numstat", "-z", patch).out.split(b"\0")
            self._make_known([os.fsdecode(e.split(b"\t", 2)[2]) for e in listing if e])
            os.unlink(patch)  # noqa: PTH108
        old_root = self._plan.source.checkout if self._plan.source else None
        self._unpacked = unpack(snapshot, self.root, old_root or self._plan.project)

    def _make_known(self, paths: list[str]) -> None:
        """Have git know again what had been added and not committed: it is part of the patch.

        (`git apply --intent-to-add` forgets the rest of the index, seen with 2.39.)
        """
        modules = [""]
        if self._code_commit is not None:
            own = History.around(self.root)
            modules += [f"{path}/" for path in own.submodules(self._code_commit)] if own else []
        for module in modules:
            folder = f"{self.root}/{module}".rstrip("/")
            if not os.path.lexists(f"{folder}/.git"):
                continue
            listing = self._checked([*self._in(folder), "ls-files", "--others", "-z"]).out
            unknown = {f"{module}{os.fsdecode(name)}" for name in listing.split(b"\0")}
            new = [path.removeprefix(module) for path in paths if path in unknown]
            for start in range(0, len(new), _MOST_WORDS):
                some = new[start : start + _MOST_WORDS]
                self._checked([*self._in(folder), "add", "--intent-to-add", "--force", "--", *some])

    def _submodules(self, commit: str) -> None:
        """Clone the submodules from where they are checked out here."""
        own = History.around(self.root)
        modules = own.submodules(commit) if own else {}
        for path, inner in sorted(modules.items()):
            checkout = self._plan.source.checkout if self._plan.source else None
            place = f"{self.root}/{path}"
            if os.path.lexists(f"{place}/.git"):
                self._checked([*self._in(place), *_CHECKOUT, inner])
                continue
            if checkout is None or not os.path.lexists(f"{checkout}/{path}/.git"):
                # A submodule that was not checked out then has nothing that a step read.
                continue
            words = clone_words(place, f"{checkout}/{path}")
            self._checked([self._require_git(), *_SAFE, *words])
            self._checked([*self._in(place), *_CHECKOUT, inner])

    def _set_aside(self, data: Sequence[str]) -> list[tuple[str, str]]:
        """Move data out of git's way; pairs of where it is and where it was."""
        kept: list[tuple[str, str]] = []
        folder = f"{self.root}/{SCRATCH}/aside"
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        for relative in dict.fromkeys(data):
            place = f"{self.project}/{relative}"
            if os.path.isfile(place) and not os.path.islink(place):  # noqa: PTH113, PTH114
                aside = f"{folder}/{len(kept)}"
                os.rename(place, aside)  # noqa: PTH104
                kept.append((aside, place))
        return kept

    def _put_back(self, kept: list[tuple[str, str]]) -> None:
        for aside, place in kept:
            os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
            os.replace(aside, place)  # noqa: PTH105

    def _run(self, *words: str) -> Output:
        return self._checked([*self._in(self.root), *words])

    def _in(self, folder: str) -> list[str]:
        return [self._require_git(), "-C", folder, *_SAFE]

    def _checked(self, argv: list[str]) -> Output:
        ceiling = os.path.dirname(self.root)  # noqa: PTH120
        helper = Helper.start(argv, {**_ENVIRONMENT, "GIT_CEILING_DIRECTORIES": ceiling})
        try:
            output = helper.finish(_TIMEOUT_S)
        except KeyboardInterrupt:  # it is in a process group of its own, and would go on
            helper.abandon()
            raise
        if not output.ok:
            complaints = output.err.decode(errors="replace").strip().splitlines() or [""]
            reason = complaints[-1].removeprefix("fatal: ").removeprefix("error: ")
            what = next(w for w in _WORDS if w in argv)
            raise UnreproducibleError(f"git {what} failed in {self.root}: {reason}")
        return output

    def _require_git(self) -> str:
        if self._git is None:
            raise UnreproducibleError("git is not installed, and the steps ran from a commit")
        return self._git


def clone_words(target: str, source: str) -> list[str]:
    """The arguments of git that clone without checking anything out and without templates."""
    return ["clone", "--quiet", "--no-checkout", "--template=", "--", source, target]


def is_on_network(remote: str) -> bool:
    """Whether a remote is a URL of another machine's repository: no path, no `file:`, no helper."""
    return (
        is_url(remote)
        and not remote.startswith(("/", "file:"))
        and remote.isprintable()
        and not re.search(r"\s", remote)
    )


def is_url(remote: str) -> bool:
    """Whether a recorded remote is a URL or path of the usual kinds, and no option or helper."""
    return not remote.startswith("-") and (
        re.match(r"(https?|ssh|git|file)://", remote) is not None
        or re.fullmatch(r"(?:[\w.-]+@)?[A-Za-z0-9][\w.-]*:(?!:).+", remote) is not None
        or remote.startswith("/")
    )


def require_empty(target: str) -> None:
    """Raise `UnreproducibleError` unless `target` is free: not there, or an empty directory."""
    if os.path.islink(target) or (os.path.lexists(target) and not os.path.isdir(target)):  # noqa: PTH112, PTH114
        raise UnreproducibleError(f"{target} is in the way; choose another place with --into")
    if os.path.isdir(target) and os.listdir(target):  # noqa: PTH112, PTH208
        raise UnreproducibleError(
            f"{target} is not empty; remove it or choose another place with --into"
        )

"""Where a project begins, and where roar keeps what it knows about it.

The root is the git top level, else the directory that was `init`ialised, else the working
directory; never `/` or the home directory, where one stray run would make everything below it "the
project".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from roar_core.errors import NotFoundError, RefusedError

ROAR_DIR = ".roar"


class Project(NamedTuple):
    """A project's root and the layout of its `.roar`.

    Paths are absolute, symbolic links resolved.
    """

    root: Path

    @property
    def roar_dir(self) -> Path:
        return self.root / ROAR_DIR

    @property
    def database(self) -> Path:
        return self.roar_dir / "roar.db"

    @property
    def journals(self) -> Path:
        return self.roar_dir / "journals"

    @property
    def objects(self) -> Path:
        return self.roar_dir / "objects"

    @property
    def runs(self) -> Path:
        return self.roar_dir / "runs"

    @property
    def is_initialised(self) -> bool:
        return self.roar_dir.is_dir()

    def relative(self, path: str) -> str | None:
        """`path` told from the root, or None when it lies outside."""
        root = str(self.root)
        return path[len(root) + 1 :] if path.startswith(root + "/") else None


def working_directory() -> Path:
    """The working directory, resolved; raises `RefusedError` when it is gone or unreadable."""
    try:
        return Path(os.getcwd())  # noqa: PTH109 - Path.cwd() is the same call with a later import
    except OSError as error:
        raise RefusedError(
            f"the working directory cannot be read ({error.strerror});"
            " cd to a directory that exists"
        ) from error


def find_project(cwd: Path) -> Project:
    """The project around `cwd`, initialised or not.

    The nearest `.roar` upwards wins over the git top level only when it lies inside that checkout.
    """
    for folder in (cwd, *cwd.parents):
        if (folder / ROAR_DIR).is_dir() and not _is_too_wide(folder):
            return Project(folder)
        if (folder / ".git").exists():
            return Project(folder)
    return Project(cwd)


def existing_project(cwd: Path) -> Project:
    """The initialised project around `cwd`; raises `NotFoundError` when there is none."""
    project = find_project(cwd)
    if not project.is_initialised:
        raise NotFoundError(
            f"nothing is recorded in {project.root}; start with: roar run <your command>"
        )
    return project


def recordable_project(cwd: Path) -> Project:
    """The project a run in `cwd` belongs to; raises `RefusedError` for `/` and the home."""
    project = find_project(cwd)
    if _is_too_wide(project.root):
        raise RefusedError(
            f"{project.root} is too wide to be a project; cd to the project's own directory,"
            " or make this one a git repository of its own below it"
        )
    return project


def initialise(project: Project, *, ignored: bool = True) -> bool:
    """Make what is missing of `.roar` and its folders, for its owner only; whether it was new.

    `ignored` has a new `.roar` tell git to ignore it, by a `.gitignore` of its own: the user's own
    files stay as they are, and the checkout clean.
    """
    is_new = not project.is_initialised
    try:
        for folder in (project.roar_dir, project.journals, project.objects):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_new and ignored:
            (project.roar_dir / ".gitignore").write_bytes(b"*\n")
    except OSError as error:
        raise RefusedError(
            f"{project.roar_dir} cannot be written ({error.strerror});"
            " give yourself write access or run in a directory of your own"
        ) from error
    return is_new


def _is_too_wide(folder: Path) -> bool:
    home = os.path.expanduser("~")  # noqa: PTH111 - no exception when there is no home
    return str(folder) == "/" or str(folder) == os.path.realpath(home)

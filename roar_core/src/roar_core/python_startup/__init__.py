"""Have every Python of a command run code of a plugin's first, whoever's interpreter it is.

For storage proxies and execution backends whose users' programs are in Python. The command's
interpreter may be another one than roar's, an old one, and without any package of ours: the code is
copied into the run's folder, and put in front of `PYTHONPATH`. It stands on nothing but the
standard library, and on the module `_roar_imports` beside it, whose `watch` tells when a library is
imported. Several plugins may do so in one run, and the user's own `sitecustomize` runs as ever.

    added = lead(Path(__file__).parent / "python", "_mine", run.folder / "python", environ)

In `python/_mine.py`, `start(folder)` is called in each Python that begins. It must be cheap and
must not raise: a program that has nothing to do with the plugin runs it too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_LEADING = Path(__file__).parent / "leading"
# What the start-up file in `leading` says before it knows better.
_UNTOLD = '_STARTED = ""'


def lead(modules: Path, started: str, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Copy the modules in the folder `modules` to `folder`, where nothing is yet.

    `started` is the name of the one that is started. Returns the variables that do it: a path that
    leads on to the one in `environ`.
    """
    copy_modules(modules, folder)
    for name, content in startup_files(started).items():
        (folder / name).write_text(content, encoding="utf-8")
    theirs = environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{theirs}" if theirs else str(folder)}


def startup_files(started: str) -> dict[str, str]:
    """The files, by name, that start the module `started` when they lie on a path of Python's."""
    told = {
        source.name: source.read_text(encoding="utf-8") for source in sorted(_LEADING.glob("*.py"))
    }
    name = "sitecustomize.py"
    told[name] = told[name].replace(_UNTOLD, f"_STARTED = {started!r}")
    return told


def copy_modules(modules: Path, folder: Path) -> None:
    """Have the Python modules below `modules` below `folder` too, where nothing is yet.

    As further names of the same files, where the file system allows it: every command waits for
    this, and a copy takes ten times as long.
    """
    folder.mkdir()
    for entry in os.scandir(modules):
        if entry.name.endswith(".py"):
            _link(entry.path, folder / entry.name)
        elif entry.is_dir() and entry.name != "__pycache__":
            copy_modules(Path(entry.path), folder / entry.name)


def _link(source: str, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or another owner (protected_hardlinks)
        import shutil

        shutil.copyfile(source, target)

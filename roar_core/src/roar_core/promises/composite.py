"""What roar relies on of a composite format, whatever a run has touched."""

from __future__ import annotations

from collections.abc import Iterator

from roar_core.hookspecs import CompositeFormat
from roar_core.promises.folders import ImaginedFolder
from roar_core.promises.promise import Complaint, promise, remark

# Folders that every project has and that are no dataset, by what they hold.
ORDINARY = {
    "project": ("data.csv", "train.py", "README.md", "params.yaml", "src/model.py", ".git/HEAD"),
    "data": ("train.csv", "test.csv", "labels.json"),
    "src": ("model.py", "tests/test_model.py"),
    "images": ("cat.png", "dog.png"),
    "models": ("model.pkl", "model.bin", "config.json"),
}
_NAMES = ("part.bin", "a/b/c.bin", "data/part-0.bin", "ü .bin", "line\nend", "\udcff.bin")
_FEW_LOOKS = 4


@promise("whether it is flat is True or False")
def says_whether_it_is_flat(format_: CompositeFormat) -> Iterator[Complaint]:
    if not isinstance(format_.is_flat, bool):
        yield Complaint(f"its is_flat is {format_.is_flat!r}", "say True or False")


@promise("an ordinary folder is no dataset")
def knows_what_is_ordinary(format_: CompositeFormat) -> Iterator[Complaint]:
    for name, files in ORDINARY.items():
        if format_.is_root(ImaginedFolder(name, files)):
            yield Complaint(
                f"it takes a folder {name}/ of {', '.join(files)} for a dataset",
                "look for what only such a dataset has",
            )


@promise("of a file's name alone it says whether it is a member, True or False, always the same")
def judges_names_alone(format_: CompositeFormat) -> Iterator[Complaint]:
    for name in _NAMES:
        first, second = format_.in_identity(name), format_.in_identity(name)
        if not isinstance(first, bool):
            yield Complaint(f"in_identity({name!r}) is {first!r}", "return True or False")
        elif first is not second:
            yield Complaint(f"in_identity({name!r}) changes its mind", "decide by the name alone")


@remark(f"an ordinary folder costs it at most {_FEW_LOOKS} looks at the disk")
def looks_little(format_: CompositeFormat) -> Iterator[Complaint]:
    for name, files in ORDINARY.items():
        folder = ImaginedFolder(name, files)
        format_.is_root(folder)
        if folder.looks > _FEW_LOOKS:
            yield Complaint(
                f"of {name}/ it asks {folder.looks} times",
                "ask first for what decides: every folder of a run is asked about",
            )


PROMISES = (says_whether_it_is_flat, knows_what_is_ordinary, judges_names_alone, looks_little)

"""Whatever a run does to a small file system, the judge says what an all-knowing witness says.

The witness sees directory entries, inodes and contents as objects; the judge sees records, numbers
and times only.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from roar_core.observe.filters import FilterPolicy, Filters
from roar_core.observe.judge import judge
from roar_core.testing.traces import ModelFile, ModelTree

FILTERS = Filters(FilterPolicy(project="/p", roar_dir="/p/.roar", home="/home/u"))
PATHS = ["/p/a", "/p/b", "/p/c", "/p/d/a", "/p/d/b", "/p/e/a"]
DIRECTORIES = ["/p/d", "/p/e", "/p/f"]
EVERY_PATH = [*PATHS, "/p/e/b", "/p/f/a", "/p/f/b"]

paths = st.sampled_from(EVERY_PATH)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), paths),
        st.tuples(st.just("open"), paths, st.sampled_from(["a", "r+", "w", "w+"])),
        st.tuples(st.just("write"), paths, st.sampled_from(["a", "r+", "w", "w+"])),
        st.tuples(st.just("truncate"), paths, st.integers(0, 20)),
        st.tuples(st.just("rename"), paths, paths),
        st.tuples(st.just("rename_directory"), *[st.sampled_from(DIRECTORIES)] * 2),
        st.tuples(st.just("exchange"), paths, paths),
        st.tuples(st.just("link"), paths, paths),
        st.tuples(st.just("unlink"), paths),
        st.tuples(st.just("outside_change"), paths),
    ),
    max_size=14,
)


class Witness:
    """Does the steps, and remembers everything about every file."""

    def __init__(self, existing: set[str]) -> None:
        self.tree = ModelTree()
        self.origin: dict[ModelFile, str] = {}
        self.holds_world: dict[ModelFile, bool] = {}
        self.before: dict[ModelFile, tuple[int, int]] = {}
        self.touched: set[ModelFile] = set()
        self.content_before: dict[ModelFile, int] = {}
        self.written_names: dict[str, bool] = {}
        self.used: dict[tuple[str, int, int], tuple[ModelFile, int]] = {}
        self.sources: dict[ModelFile, tuple[tuple[str, int, int], int]] = {}
        self.created: list[ModelFile] = []
        for path in sorted(existing):
            file = self.tree.outside_create(path)
            self.origin[file] = path
            self.holds_world[file] = True
        self.tree.now_ns += 1_000_000_000

    def do(self, step: tuple[object, ...]) -> None:
        name, path, *rest = step
        assert isinstance(name, str)
        assert isinstance(path, str)
        here = self.tree.files
        if name == "rename_directory":
            self._rename_directory(path, str(rest[0]))
        elif name in ("open", "write"):
            self._open(path, str(rest[0]), writes=name == "write")
        elif path not in here:
            return
        elif name == "read":
            self._use(path)
            self.tree.read(path)
        elif name == "truncate":
            self._touch(path, empties=rest[0] == 0)
            self.tree.truncate(path, int(str(rest[0])))
        elif name == "outside_change":
            # Of what the tree itself has had in hand, nobody could say who changed it; and the
            # rename of a directory tells no versions of what lies in it.
            is_loose = path.count("/") == 2
            if is_loose and here[path] in self.origin and here[path] not in self.touched:
                self.tree.outside_change(path)
        elif name == "unlink":
            self.touched.add(here[path])
            self.written_names.pop(path, None)
            self.tree.unlink(path)
        else:
            self._rename(name, path, str(rest[0]))

    def _open(self, path: str, mode: str, *, writes: bool) -> None:
        is_new = path not in self.tree.files
        if is_new and mode == "r+":
            return
        if not is_new:
            if mode == "r+":
                self._use(path)
            self._touch(path, empties=mode.startswith("w"))
        (self.tree.write if writes else self.tree.open)(path, mode)
        if is_new:
            file = self.tree.files[path]
            self.created.append(file)
            self.holds_world[file] = False

    def _touch(self, path: str, *, empties: bool) -> None:
        file = self.tree.files[path]
        if file in self.origin and file not in self.before:
            self.before[file] = (file.size, file.mtime_ns)
            self.content_before[file] = file.content
        if empties:
            self.holds_world[file] = False
        self.touched.add(file)
        self.written_names[path] = True

    def _version(self, file: ModelFile) -> tuple[tuple[int, int], int]:
        if file in self.before:
            return self.before[file], self.content_before[file]
        return (file.size, file.mtime_ns), file.content

    def _use(self, path: str) -> None:
        file = self.tree.files[path]
        if self.holds_world[file]:
            version, content = self._version(file)
            # A name of the tree's own making was not there before it.
            self.used.setdefault((self.origin[file], *version), (file, content))

    def _names(self, path: str) -> None:
        """The name at `path` is about to be given to another place: is it the world's own?"""
        file = self.tree.files[path]
        if self.holds_world[file] and self.origin.get(file) == path:
            version, content = self._version(file)
            self.sources[file] = ((path, *version), content)

    def _rename(self, name: str, old: str, new: str) -> None:
        here = self.tree.files
        if old == new or (name == "exchange" and new not in here):
            return
        if name == "link":
            if new not in here:
                self._names(old)
                self.tree.link(old, new)
            return
        if here.get(new) is here[old]:
            (self.tree.rename if name == "rename" else self.tree.exchange)(old, new)
            return
        self._names(old)
        self.touched.add(here[old])
        if name == "exchange":
            self._names(new)
            self.touched.add(here[new])
            one, other = self.written_names.pop(old, None), self.written_names.pop(new, None)
            self._carry(new, one)
            self._carry(old, other)
            self.tree.exchange(old, new)
            return
        if new in here:
            self.touched.add(here[new])
        self.written_names.pop(new, None)
        self._carry(new, self.written_names.pop(old, None))
        self.tree.rename(old, new)

    def _carry(self, path: str, written: bool | None) -> None:
        if written:
            self.written_names[path] = True

    def _rename_directory(self, old: str, new: str) -> None:
        inside = list(self.tree.list_files(old))
        if old == new or not inside or list(self.tree.list_files(new)):
            return
        for path in inside:
            self._names(path)
            self.touched.add(self.tree.files[path])
            self._carry(new + path[len(old) :], self.written_names.pop(path, None))
        self.tree.rename_directory(old, new)

    # --- the truth ---

    def outputs(self) -> set[str]:
        return {path for path, file in self.tree.files.items() if self._is_output(path, file)}

    def _is_output(self, path: str, file: ModelFile) -> bool:
        if file not in self.origin or path != self.origin[file]:
            return True
        if path not in self.written_names or file not in self.before:
            return False
        return file.content != self.content_before[file]

    def inputs(self) -> dict[tuple[str, int, int], tuple[ModelFile, int]]:
        renamed = {
            file for path, file in self.tree.files.items() if self.origin.get(file, path) != path
        }
        given = {
            key: (file, content) for file, (key, content) in self.sources.items() if file in renamed
        }
        return {**given, **self.used}

    def scratch(self) -> int:
        return sum(file not in self.tree.files.values() for file in self.created)


@settings(max_examples=400, deadline=None)
@given(existing=st.sets(st.sampled_from(PATHS)), run=steps)
def test_the_judge_agrees_with_an_all_knowing_witness(
    existing: set[str], run: list[tuple[object, ...]]
) -> None:
    witness = Witness(existing)
    for step in run:
        witness.do(step)
    tree = witness.tree
    observation = judge(tree.records, tree.look, FILTERS, list_files=tree.list_files)

    assert {file.path for file in observation.outputs} == witness.outputs()
    assert observation.scratch == witness.scratch()
    found = {
        (file.path, file.fingerprint.size, file.fingerprint.mtime_ns): file
        for file in observation.inputs
    }
    truth = witness.inputs()
    assert found.keys() == truth.keys()
    for key, (file, content) in truth.items():
        now = tree.files.get(key[0])
        is_there = now is file and file.content == content
        assert found[key].changed == (not is_there and file in witness.touched)
        if found[key].now_at is not None:
            at = tree.files[found[key].now_at]
            assert at is file
            assert at.content == content


@settings(max_examples=100, deadline=None)
@given(existing=st.sets(st.sampled_from(PATHS)), run=steps, order=st.randoms())
def test_the_judge_survives_records_in_any_order_or_number(
    existing: set[str], run: list[tuple[object, ...]], order: object
) -> None:
    witness = Witness(existing)
    for step in run:
        witness.do(step)
    tree = witness.tree
    shuffled = list(tree.records)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    renumbered = [record._replace(offset=at * 8) for at, record in enumerate(shuffled)]
    observation = judge(renumbered[: len(renumbered) // 2 + 1], tree.look, FILTERS)
    assert all(tree.look(file.path) for file in observation.outputs)

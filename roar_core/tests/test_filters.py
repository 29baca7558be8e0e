"""Which files are no lineage: each class by example, and the exceptions."""

from __future__ import annotations

import pytest

from roar_core.observe.filters import FilterPolicy, Filters
from roar_core.observe.interpreters import interpreter_prefixes, package_roots
from roar_core.observe.patterns import compile_patterns


def policy(**changes: object) -> FilterPolicy:
    settings: dict[str, object] = {
        "project": "/home/u/p",
        "roar_dir": "/home/u/p/.roar",
        "home": "/home/u",
        "source_suffixes": frozenset({".py", ".c"}),
        "interpreter_prefixes": frozenset({"/usr", "/opt/conda", "/home/u/p/venv"}),
        **changes,
    }
    return FilterPolicy(**settings)  # type: ignore[arg-type]


def classify(path: str, *, role: str = "input", is_code: bool = False, **changes: object) -> object:
    return Filters(policy(**changes)).classify(path, role=role, is_code=is_code)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/u/p/data.csv", None),
        ("/home/u/elsewhere/data.csv", None),
        ("/home/u/p/.git/index", "internal"),
        ("/home/u/p/sub/.git", "internal"),
        ("/home/u/p/.gitignore", None),
        ("/home/u/p/.roar/roar.db", "internal"),
        ("/home/u/p/.roar.toml", None),
        ("/usr/share/dict/words", "system"),
        ("/lib/x86_64-linux-gnu/libc.so.6", "system"),
        ("/lib64/ld-linux-x86-64.so.2", "system"),
        ("/library/data.csv", None),
        ("/etc/passwd", "system"),
        ("/var/lib/x", "system"),
        ("/var/tmp/x", None),
        ("/tmp/x", None),
        ("/dev/shm/x", "system"),
        ("/opt/data/x.csv", None),
        ("/opt/conda/lib/libmkl.so", "packages"),
        ("/usr/lib/python3.11/os.py", "packages"),
        ("/usr/lib/python3/dist-packages/apt.py", "packages"),
        ("/usr/bin/python3.11", "packages"),
        ("/usr/bin/ls", "system"),
        ("/home/u/p/venv/pyvenv.cfg", "packages"),
        ("/home/u/p/venv/share/x", "packages"),
        ("/home/u/.local/lib/python3.11/site-packages/a.py", "packages"),
        ("/home/u/p/__pycache__/m.cpython-311.pyc", "caches"),
        ("/home/u/.cache/pip/x", "caches"),
        ("/home/u/.cache/uv/x", "caches"),
        ("/home/u/.cache/matplotlib/fontlist.json", "caches"),
        ("/home/u/.triton/cache/k/x.json", "caches"),
        ("/tmp/torchinductor_u/x.py", "caches"),
        ("/home/u/.ccache/x", "caches"),
        ("/home/u/.cache/huggingface/hub/models--x/blobs/1", None),
        ("/home/u/.cache/torch/hub/checkpoints/resnet.pth", None),
        ("/home/u/tensorflow_datasets/mnist/x", None),
        ("/home/u/p/cache/table.csv", None),
    ],
)
def test_a_path_has_its_class(path: str, name: str | None) -> None:
    assert classify(path) == name


@pytest.mark.parametrize("project", ["/tmp/p", "/opt/p", "/var/www/p", "/usr/src/p", "/run/p"])
def test_a_project_records_normally_wherever_it_lies(project: str) -> None:
    assert classify(f"{project}/data.csv", project=project, roar_dir=f"{project}/.roar") is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/u/.cache/pip/x", "caches"),
        ("/home/u/.nv/ComputeCache/x", "caches"),
        ("/home/u/.config/matplotlib/x", "caches"),
        ("/home/u/torchinductor_u/x", "caches"),
        ("/home/u/m.pyc", "caches"),
        ("/home/u/p/venv/share/x", "packages"),
        ("/home/u/lib/site-packages/x", "packages"),
        ("/home/u/p/data.csv", None),
    ],
)
def test_a_project_may_hold_packages_and_caches(path: str, name: str | None) -> None:
    assert classify(path, project="/home/u") == name


def test_opt_is_the_systems_only_where_a_package_owns_it() -> None:
    assert classify("/opt/google/chrome", opt_owned=lambda path: "google" in path) == "system"


@pytest.mark.parametrize(
    ("path", "is_code", "name"),
    [
        ("/home/u/p/train.py", False, "source"),
        ("/home/u/p/tool", True, "source"),
        ("/home/u/p/params.yaml", False, None),
        ("/home/u/p/data.csv", False, None),
        ("/home/u/other/train.py", False, None),
    ],
)
def test_tracked_code_is_source_and_tracked_data_is_not(
    path: str, is_code: bool, name: str | None
) -> None:
    assert classify(path, is_code=is_code, tracked=lambda path: True) == name


def test_without_git_scripts_are_inputs() -> None:
    assert classify("/home/u/p/train.py", is_code=True) is None


def test_a_tracked_file_that_is_written_is_an_output() -> None:
    assert classify("/home/u/p/gen.py", role="output", tracked=lambda path: True) is None


def test_a_tracked_file_named_on_the_command_line_is_still_the_commits() -> None:
    named = frozenset({"/home/u/p/train.py"})
    assert classify("/home/u/p/train.py", argv_paths=named, tracked=lambda path: True) == "source"


@pytest.mark.parametrize("path", ["/etc/hosts", "/home/u/p/m.pyc", "/home/u/p/x.log"])
def test_a_file_named_on_the_command_line_is_recorded(path: str) -> None:
    assert classify(path, ignore=("*.log",)) is not None
    assert classify(path, ignore=("*.log",), argv_paths=frozenset({path})) is None


def test_a_system_program_named_on_the_command_line_stays_the_systems() -> None:
    named = frozenset({"/usr/bin/ls"})
    assert classify("/usr/bin/ls", is_code=True, argv_paths=named) == "system"


def test_internals_cannot_be_named_or_configured_in() -> None:
    path = "/home/u/p/.git/index"
    assert classify(path, argv_paths=frozenset({path}), enabled={"internal": False}) == "internal"


def test_claimed_files_belong_to_their_tracker() -> None:
    assert classify("/home/u/p/wandb/x", claims=lambda path: "/wandb/" in path) == "claimed"


def test_a_class_switched_off_takes_nothing_out() -> None:
    assert classify("/etc/hosts", enabled={"system": False}) is None
    assert classify("/usr/lib/python3.11/os.py", enabled={"packages": False}) == "system"
    tracked = {"tracked": lambda path: True, "enabled": {"source": False}}
    assert classify("/home/u/p/a.py", **tracked) is None


def test_git_is_not_asked_about_data() -> None:
    asked: list[str] = []
    filters = Filters(policy(tracked=lambda path: bool(asked.append(path))))
    filters.classify("/home/u/p/data.csv", role="input", is_code=False)
    filters.classify("/usr/lib/os.py", role="input", is_code=True)
    assert asked == []


# --- interpreters --------------------------------------------------------------------------------


def test_the_names_above_a_project_do_not_count_for_what_is_in_it() -> None:
    claims = compile_patterns(["wandb/", "~/wandb/caches/"], "/home/u/wandb/p", "/home/u")
    assert claims is not None
    assert not claims("/home/u/wandb/p/data.csv")
    assert claims("/home/u/wandb/p/wandb/run-1/x")
    assert claims("/home/u/wandb/caches/x")
    assert claims("/home/u/.cache/wandb/x")


def test_the_base_of_a_copied_interpreter_is_known_by_its_standard_library() -> None:
    read = ["/home/u/.pyenv/versions/3.11.7/lib/python3.11/encodings/__init__.py", "/p/encodings/x"]
    found = interpreter_prefixes(["/p/venv/bin/python"], read)
    assert found == {"/p/venv", "/home/u/.pyenv/versions/3.11.7", "/home/u/.pyenv"}


def test_interpreters_are_known_by_program_and_by_pyvenv_cfg() -> None:
    programs = [
        "/usr/bin/python3.11",
        "/opt/conda/bin/python",
        "/usr/bin/bash",
        "/x/bin/python3.13t",
    ]
    read = ["/home/u/p/.venv/pyvenv.cfg", "/home/u/p/data.csv"]
    found = interpreter_prefixes(programs, read)
    assert found == {"/usr", "/opt/conda", "/x", "/home/u/p/.venv"}


def test_the_scripts_of_pyenv_belong_to_the_pythons_it_keeps() -> None:
    assert "/home/u/.pyenv" in interpreter_prefixes(["/home/u/.pyenv/versions/3.11/bin/python"], [])
    assert "/data" not in interpreter_prefixes(["/data/versions/1/bin/python"], [])


def test_a_shared_prefix_does_not_swallow_the_world() -> None:
    roots = package_roots("/usr", "/home/u/p", "/home/u")
    assert "/usr/lib/python3.11/os.py".startswith(roots)
    assert not "/usr/lib/x86_64-linux-gnu/libc.so.6".startswith(roots)


@pytest.mark.parametrize("prefix", ["/home/u/p", "/home/u", "/home", "/home/u/.local"])
def test_a_prefix_that_holds_the_project_does_not_swallow_it(prefix: str) -> None:
    roots = package_roots(prefix, "/home/u/p", "/home/u")
    assert not f"{prefix}/data.csv".startswith(roots)
    assert f"{prefix}/lib/python3.11/os.py".startswith(roots)


def test_prefixes_are_added_without_touching_the_policy() -> None:
    filters = Filters(policy(interpreter_prefixes=frozenset()))
    path = "/home/u/.pyenv/versions/3.11.7/lib/python3.11/os.py"
    more = filters.with_prefixes(["/home/u/.pyenv/versions/3.11.7"])
    assert filters.classify(path, role="input", is_code=False) is None
    assert more.classify(path, role="input", is_code=False) == "packages"
    assert filters.with_prefixes([]) is filters


# --- ignore --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "is_ignored"),
    [
        ("*.log", "/p/a.log", True),
        ("*.log", "/elsewhere/deep/a.log", True),
        ("*.log", "/p/a.log.csv", False),
        ("scratch", "/p/x/scratch/deep/file", True),
        ("scratch/", "/p/scratch/file", True),
        ("scratch/", "/p/scratch", False),
        ("scratch/", "/p/my-scratch/file", False),
        ("~/.cache/tool/", "/home/ada/.cache/tool/x", True),
        ("~/.cache/tool/", "/p/.cache/tool/x", False),
        ("*.log", "/p/a.log\n", False),
        ("/scratch/x", "/scratch/x", True),
        ("/scratch/x", "/p/scratch/x", False),
        ("out/*.tmp", "/p/out/a.tmp", True),
        ("out/*.tmp", "/p/out/deep/a.tmp", False),
        ("./out/*.tmp", "/p/out/a.tmp", True),
        ("out/**/a.tmp", "/p/out/a.tmp", True),
        ("out/**/a.tmp", "/p/out/deep/er/a.tmp", True),
        ("out/**", "/p/out/x/y", True),
        ("out/**", "/p/output/x", False),
        ("run[0-9].txt", "/p/run7.txt", True),
        ("run[!0-9].txt", "/p/run7.txt", False),
        ("a[[]1].txt", "/p/a[1].txt", True),
        ("a[[]1].txt", "/p/a1.txt", False),
        ("a+b(1).txt", "/p/a+b(1).txt", True),
        ("[", "/p/[", True),
        ("?.txt", "/p/é.txt", True),
    ],
)
def test_an_ignore_pattern_takes_what_it_says(pattern: str, path: str, is_ignored: bool) -> None:
    ignored = compile_patterns([pattern], "/p", "/home/ada")
    assert ignored is not None
    assert ignored(path) is is_ignored


def test_no_pattern_ignores_nothing() -> None:
    assert compile_patterns([], "/p", "/home/ada") is None
    assert compile_patterns(["", "/"], "/p", "/home/ada") is None

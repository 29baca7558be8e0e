"""Which distributions a program used, told from what it opened in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from roar_core.environment.python_packages import python_packages

WHEELS = {
    "Alpha_Kit-1.0": {"alpha/__init__.py": "", "alpha/deep/more.py": "", "alpha/data.txt": "x"},
    "single-2.1": {"single.py": ""},
    "space_one-3.0": {"space/one/__init__.py": ""},
    "space_two-4.0": {"space/two/__init__.py": ""},
    "unused-5.0": {"unused/__init__.py": ""},
}
WATCH = """
import sys
def watch(event, arguments):
    if event == 'open' and isinstance(arguments[0], str):
        seen.append(arguments[0])
seen = []
sys.addaudithook(watch)
import site
site.main()
{code}
sys.stdout.write('\\0'.join(seen))
"""


def make_wheel(folder: Path, name: str, files: Mapping[str, str]) -> Path:
    """A pure wheel, as the binary distribution format describes it; pip writes the rest."""
    info = f"{name}.dist-info"
    display, _, version = name.replace("_", "-").rpartition("-")
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {display}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in whole) + f"{info}/RECORD,,\n"
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**whole, f"{info}/RECORD": record}.items():
            archive.writestr(inside, text)
    return path


class Venv:
    """A virtual environment that shares nothing with the one roar runs in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin/python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.site = next(folder.glob("lib/python*/site-packages"))

    def install(self, *words: str | Path) -> None:
        # The build back-end of an editable install comes from this environment, by PYTHONPATH.
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--python", self.python, "install", "--no-deps"),
                *("--no-index", "--no-build-isolation", "--quiet", *words),
            ],
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])},
        )

    def opened_by(self, code: str) -> list[str]:
        """Every path that a program opens, from its start; it is run twice, to read byte code."""
        argv = [self.python, "-S", "-c", WATCH.replace("{code}", code)]
        subprocess.run(argv, check=True, capture_output=True)
        done = subprocess.run(argv, check=True, capture_output=True, cwd=self.folder)
        return [os.path.realpath(path) for path in os.fsdecode(done.stdout).split("\0")]


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    folder = tmp_path_factory.mktemp("packages")
    made = Venv(folder / "venv")
    made.install(*(make_wheel(folder, name, files) for name, files in WHEELS.items()))
    source = folder / "edit"
    (source / "src/edited").mkdir(parents=True)
    (source / "src/edited/__init__.py").touch()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires=["hatchling"]\nbuild-backend="hatchling.build"\n'
        '[project]\nname="Edited"\nversion="0.7"\n'
    )
    made.install("-e", source)
    return made


@pytest.mark.slow
def test_a_program_that_imports_nothing_uses_no_packages(venv: Venv, tmp_path: Path) -> None:
    opened = venv.opened_by("")
    assert any(path.endswith(".pth") for path in opened)
    assert python_packages(opened, os.fspath(tmp_path)) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "used"),
    [
        ("import alpha", {"Alpha-Kit": "1.0"}),
        ("import alpha.deep.more, single", {"Alpha-Kit": "1.0", "single": "2.1"}),
        ("import space.two", {"space-two": "4.0"}),
        ("import space.one, space.two", {"space-one": "3.0", "space-two": "4.0"}),
        ("import edited", {"Edited": "0.7"}),
        ("import json, ssl, sqlite3", {}),
    ],
)
def test_the_packages_are_those_whose_code_was_opened(
    venv: Venv, tmp_path: Path, code: str, used: dict[str, str]
) -> None:
    assert python_packages(venv.opened_by(code), os.fspath(tmp_path)) == used


@pytest.mark.slow
def test_listing_metadata_uses_nothing(venv: Venv, tmp_path: Path) -> None:
    code = "import importlib.metadata as m; [d.entry_points for d in m.distributions()]"
    opened = venv.opened_by(code)
    assert any("unused-5.0.dist-info" in path for path in opened)
    assert python_packages(opened, os.fspath(tmp_path)) == {}


def test_the_real_packages_of_this_environment_are_found(tmp_path: Path) -> None:
    from importlib.metadata import version

    import attr
    import blake3
    import numpy

    opened = [attr.__file__, blake3.__file__, numpy.__file__]
    expected = {name: version(name) for name in ("attrs", "blake3", "numpy")}
    assert python_packages(opened, os.fspath(tmp_path)) == expected


def test_a_settled_site_is_read_once(tmp_path: Path) -> None:
    import attr

    assert attr.__file__ is not None
    cache = tmp_path / "python-packages.json"
    first = python_packages([attr.__file__], os.fspath(tmp_path))
    kept = json.loads(cache.read_text())
    (site,) = kept
    kept[site]["tops"] = {"attr": ["invented-9.dist-info"]}
    cache.write_text(json.dumps(kept))
    assert first.keys() == {"attrs"}
    assert python_packages([attr.__file__], os.fspath(tmp_path)) == {"invented": "9"}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"x": 1}', "\x00", '{"SITE": {"stamp": 1}}'])
def test_a_damaged_or_unwritable_cache_costs_only_time(tmp_path: Path, damage: str) -> None:
    import attr

    assert attr.__file__ is not None
    (tmp_path / "python-packages.json").write_text(damage)
    assert python_packages([attr.__file__], os.fspath(tmp_path)).keys() == {"attrs"}
    assert python_packages([attr.__file__], "/proc/nowhere").keys() == {"attrs"}


def lay_out(site: Path, files: Mapping[str, str]) -> str:
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    return os.fspath(site)


def used(site: str, *names: str) -> dict[str, str]:
    return python_packages([f"{site}/{name}" for name in names], f"{site}/cache")


def test_older_forms_of_metadata_are_understood(tmp_path: Path) -> None:
    header = "Metadata-Version: 1.1\nName: {}\nVersion: {}\n"
    site = lay_out(
        tmp_path / "dist-packages",
        {
            "PyYAML-6.0.egg-info/PKG-INFO": header.format("PyYAML", "6.0"),
            "PyYAML-6.0.egg-info/top_level.txt": "_yaml\nyaml\n",
            "bare-0.3.egg-info": header.format("bare", "0.3"),
            "listed-1.egg-info/PKG-INFO": header.format("listed", "1"),
            "listed-1.egg-info/installed-files.txt": "../listing/__init__.py\nPKG-INFO\n",
            "old-0.9-py3.11.egg/EGG-INFO/PKG-INFO": header.format("old", "0.9"),
            "headless-4.2.dist-info/top_level.txt": "headless",
        },
    )
    assert used(site, "yaml/loader.py", "_yaml.cpython-311-x86_64-linux-gnu.so") == {
        "PyYAML": "6.0"
    }
    assert used(site, "bare/__init__.py") == {"bare": "0.3"}
    assert used(site, "listing/__init__.py") == {"listed": "1"}
    assert used(site, "old-0.9-py3.11.egg/old/__init__.py") == {"old": "0.9"}
    assert used(site, "headless/__init__.py") == {"headless": "4.2"}
    assert used(site, "copied_by_hand.py") == {}


def test_setuptools_editable_finder_leads_to_the_code(tmp_path: Path) -> None:
    code = tmp_path / "work/pkg"
    site = lay_out(
        tmp_path / "site-packages",
        {
            "ed-1.0.dist-info/METADATA": "Name: ed\nVersion: 1.0\n",
            "ed-1.0.dist-info/direct_url.json": '{"dir_info": {"editable": true}}',
            "ed-1.0.dist-info/RECORD": (
                "__editable___ed_1_0_finder.py,,\n__editable__.ed-1.0.pth,,\n"
            ),
            "__editable__.ed-1.0.pth": "import __editable___ed_1_0_finder; 0",
            "__editable___ed_1_0_finder.py": f"import sys\nMAPPING = {{'pkg': '{code}'}}\n",
        },
    )
    started = [f"{site}/__editable__.ed-1.0.pth", f"{site}/__editable___ed_1_0_finder.py"]
    assert python_packages(started, os.fspath(tmp_path)) == {}
    opened = [*started, f"{code}/__pycache__/x.cpython-311.pyc"]
    assert python_packages(opened, os.fspath(tmp_path)) == {"ed": "1.0"}


def test_what_remains_of_an_older_version_does_not_answer(tmp_path: Path) -> None:
    site = lay_out(
        tmp_path / "site-packages",
        {
            "t-1.0.dist-info/METADATA": "Name: t\nVersion: 1.0\n",
            "t-1.0.dist-info/RECORD": "t/old.py,,\n",
            "t-2.0.dist-info/METADATA": "Name: t\nVersion: 2.0\n",
            "t-2.0.dist-info/RECORD": "t/new.py,,\n",
        },
    )
    assert used(site, "t/__pycache__/new.cpython-311.opt-1.pyc") == {"t": "2.0"}


def test_a_kept_answer_is_dropped_when_the_site_changes(tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        info = f"thing-{version}.dist-info"
        site = lay_out(
            tmp_path / "site-packages",
            {
                f"{info}/METADATA": f"Name: thing\nVersion: {version}\n",
                f"{info}/RECORD": "thing.py,,\n",
            },
        )
        for _ in range(2):
            assert used(site, "thing.py") == {"thing": version}
        shutil.rmtree(tmp_path / "site-packages" / info)

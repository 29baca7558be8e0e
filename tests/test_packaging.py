"""Every distribution can be built by a stranger, and the lists of members agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = [
    ROOT / "roar_core",
    *sorted(
        p.parent
        for p in (ROOT / "plugins").glob("*/pyproject.toml")
        if not p.parent.name.startswith("_")
    ),
]
DISTRIBUTIONS = [ROOT, *MEMBERS]


def settings(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def name_of(folder: Path) -> str:
    return str(settings(folder)["project"]["name"])


def without_version(requirement: str) -> str:
    return re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0]


def test_requirements_dev_lists_every_member_and_the_tools_of_the_dev_group() -> None:
    lines = [
        line
        for line in (ROOT / "requirements-dev.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    editable = {re.sub(r"\[.*", "", line[3:]) for line in lines if line.startswith("-e ")}
    assert editable == {".", *(f"./{member.relative_to(ROOT)}" for member in MEMBERS)}
    tools = {line for line in lines if not line.startswith("-e ")}
    group = set(settings(ROOT)["dependency-groups"]["dev"])
    ours = {requirement for requirement in group if requirement.startswith("roar-")}
    assert group - ours == tools
    assert {without_version(requirement) for requirement in ours} == set(map(name_of, MEMBERS))


def test_the_uv_workspace_has_every_member_as_a_source() -> None:
    uv = settings(ROOT)["tool"]["uv"]
    assert set(uv["sources"]) == set(map(name_of, MEMBERS))
    excluded = {folder for pattern in uv["workspace"]["exclude"] for folder in ROOT.glob(pattern)}
    matched = {folder for pattern in uv["workspace"]["members"] for folder in ROOT.glob(pattern)}
    assert {f for f in matched - excluded if (f / "pyproject.toml").exists()} == set(MEMBERS)


def test_all_distributions_share_one_version_and_the_python_they_need() -> None:
    import roar_core

    projects = [settings(folder)["project"] for folder in DISTRIBUTIONS]
    assert {project["version"] for project in projects} == {roar_core.__version__}
    assert {project["requires-python"] for project in projects} == {">=3.11"}


def test_the_meta_distribution_pins_the_members_it_brings() -> None:
    project = settings(ROOT)["project"]
    for requirement in project["dependencies"]:
        assert f"=={project['version']}" in requirement


def test_tools_are_set_up_in_the_root_alone() -> None:
    for member in MEMBERS:
        assert set(settings(member).get("tool", {})) <= {"hatch", "uv"}, member.name


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment that holds nothing but pip."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.needs("cc")
@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=name_of)
def test_a_wheel_is_built_from_its_sdist_where_no_roar_is_installed(
    folder: Path, empty_environment: Path, tmp_path: Path
) -> None:
    succeed(sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path, folder)
    [sdist] = tmp_path.glob("*.tar.gz")
    # pip builds in isolation, away from the checkout: what the sdist lacks is not found elsewhere.
    succeed(empty_environment, "-m", "pip", "wheel", "--no-deps", "-w", tmp_path, sdist)
    [wheel] = tmp_path.glob("*.whl")
    contents = contents_of_sdist(sdist) | contents_of_wheel(wheel)
    assert contents
    assert sources_of(folder) <= contents_of_wheel(wheel).keys(), "scripts and schemas too"
    for path, content in contents.items():
        assert str(ROOT).encode() not in content, f"{path} tells where it was built"
        assert not path.endswith((".pyc", ".db", ".jnl")), path
    if has_native_code(folder):
        assert "-py3-none-linux_" in wheel.name
        assert any("/_native/" in path for path in contents_of_wheel(wheel))
        assert not any("/_native/" in path for path in contents_of_sdist(sdist))


def sources_of(folder: Path) -> set[str]:
    """Every file of a distribution's packages that is not made from the others."""
    made = {"__pycache__", "_native", "_built"}
    files = [path.relative_to(folder / "src") for path in (folder / "src").rglob("*.*")]
    return {
        str(path)
        for path in files
        if (folder / "src" / path).is_file() and not made & set(path.parts)
    }


def succeed(*argv: str | Path) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def has_native_code(folder: Path) -> bool:
    return (folder / "native").is_dir()


def contents_of_sdist(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive.getmembers()]
        return {name: file.read() for name, file in files if file is not None}


def contents_of_wheel(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("folder", MEMBERS, ids=name_of)
def test_a_member_says_that_it_is_typed(folder: Path) -> None:
    packages = [child for child in (folder / "src").iterdir() if (child / "__init__.py").exists()]
    assert packages
    assert all((package / "py.typed").exists() for package in packages)

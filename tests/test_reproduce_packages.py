"""`roar reproduce` with the packages that a step had, in real environments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from reproducing import again, commit, ran, target_of

from roar_core.testing.projects import ProjectUnderTest


def environment_with(folder: Path, *what: str | Path) -> Path:
    """A virtual environment into which pip installed something: the pip of these tests."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", venv]
    subprocess.run([*pip, "install", "-q", *what], check=True)
    return venv


def test_exact_packages_are_installed(project: ProjectUnderTest, tmp_path: Path) -> None:
    """With a real package from the index, at a version that is not the newest."""
    venv = environment_with(tmp_path, "tomli==2.0.1")
    project.write("x.py", "import tomli; open('x.txt', 'w').write(str(tomli.loads('a = 1')))")
    commit(project, "x.py")
    ran(project.run(str(venv / "bin" / "python"), "x.py"))
    document = again(project, "x.txt")
    assert document["environments"][0]["packages"] == {"tomli": "2.0.1"}
    assert document["steps"][0]["same_hash"], document["steps"][0]["deviations"]
    site = next((target_of(project) / ".reproduce" / "env1" / "lib").glob("python*/site-packages"))
    assert (site / "tomli-2.0.1.dist-info").is_dir()


def own_package(project: ProjectUnderTest, tmp_path: Path, *options: str) -> dict[str, str]:
    """Run a script that imports a package of the user's own; returns the PATH it ran with."""
    source = tmp_path / "mine"
    (source / "mine_own").mkdir(parents=True)
    (source / "mine_own" / "__init__.py").write_text("X = 1\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mine-own"\nversion = "0.3"\n'
    )
    venv = environment_with(tmp_path, *options, source)
    project.write("x.py", "import mine_own; open('x.txt', 'w').write(str(mine_own.X))")
    commit(project, "x.py")
    path = {"PATH": f"{venv}/bin{os.pathsep}{project.environment()['PATH']}"}
    ran(project.run("python", "x.py", environ=path))
    return path


def test_an_editable_checkout_is_named(project: ProjectUnderTest, tmp_path: Path) -> None:
    path = own_package(project, tmp_path, "-e")
    result = project.roar("reproduce", "x.txt", "--into", str(target_of(project)), environ=path)
    assert result.exit_code == 3
    what = f"an editable checkout of {tmp_path / 'mine'}"
    assert f"mine-own 0.3 is on no index: {what}" in result.stdout


def test_a_package_that_no_index_has_is_named(project: ProjectUnderTest, tmp_path: Path) -> None:
    path = own_package(project, tmp_path)
    result = project.roar("reproduce", "x.txt", "--into", str(target_of(project)), environ=path)
    assert result.exit_code == 3
    assert f"mine-own 0.3 is on no index: installed from {tmp_path / 'mine'}" in result.stdout
    # Without that environment at hand the index itself says so.
    result = project.roar("reproduce", "x.txt", "--run", "-y", "--into", str(target_of(project)))
    assert result.exit_code == 3
    assert "mine-own==0.3 could not be installed" in result.stderr

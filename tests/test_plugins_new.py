"""`roar plugins new`: what it writes installs, type-checks and passes its own tests as it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from roar_core.discovery import KINDS as GROUPS
from roar_core.scaffold.kinds import KINDS
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "plugins" / "_template"
NAME = "my-tool"
WORDS = [kind.word for kind in KINDS]


def test_there_is_a_template_for_every_kind() -> None:
    assert {kind.group for kind in KINDS} == set(GROUPS)


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder away from the checkout that holds a new package of every kind."""
    folder = tmp_path_factory.mktemp("author")
    for word in WORDS:
        done = run("-m", "roar_core", "plugins", "new", word, NAME, "--into", word, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def python(author: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment into which pip installed the wheels it built of them.

    It also sees what the environment of these tests has: roar itself, pytest, mypy.
    """
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    [site_packages] = environment.glob("lib/python*/site-packages")
    ours = sysconfig.get_path("purelib")
    (site_packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python))
    where = ("install", "-q", "--no-index", "--no-build-isolation", "--no-deps")
    subprocess.run([*pip, *where, *(f"./{word}" for word in WORDS)], check=True, cwd=author)
    return python


@pytest.mark.slow
def test_roar_lists_the_new_plugin_of_every_kind(python: Path, tmp_path: Path) -> None:
    done = run("-m", "roar_core", "plugins", "--json", cwd=tmp_path, python=python)
    rows = [row for row in json.loads(done.stdout)["plugins"] if row["name"] == NAME]
    assert {row["kind"]: row["reason"] for row in rows} == {
        GROUPS[kind.group]: None for kind in KINDS
    }
    for kind in KINDS:
        assert f"roar-{kind.prefix}-{NAME}" in {row["distribution"] for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("word", WORDS)
def test_its_own_tests_pass(author: Path, python: Path, word: str) -> None:
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    done = run(*tests, cwd=author / word, python=python)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("word", WORDS)
def test_it_type_checks(
    author: Path, python: Path, word: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.getbasetemp() / "mypy"
    strict = ("-m", "mypy", "--strict", "--explicit-package-bases", "--cache-dir", str(cache))
    folder = author / word
    done = run(*strict, "src", "tests", cwd=folder, python=python)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("word", WORDS)
def test_it_is_formatted_as_ours_are(author: Path, word: str) -> None:
    config = f"--config={ROOT / 'pyproject.toml'}"
    sources = f'src=["{author / word / "src"}", "{ROOT / "roar_core/src"}"]'
    for arguments in (("format", "--check"), ("check", "--config", sources)):
        done = run("-m", "ruff", *arguments, config, "--no-cache", ".", cwd=author / word)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_template_is_what_is_written_for_an_analyzer_called_logbook(tmp_path: Path) -> None:
    target = tmp_path / "logbook"
    done = run(
        *("-m", "roar_core", "plugins", "new", "analyzer", "logbook", "--into", str(target)),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert contents(TEMPLATE) == contents(target), (
        "write it anew: rm -r plugins/_template && "
        "roar plugins new analyzer logbook --into plugins/_template"
    )


def contents(folder: Path) -> dict[str, bytes]:
    files = [p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_analyzer_is_under_forty_lines() -> None:
    [module] = (TEMPLATE / "src").glob("*/__init__.py")
    assert len(module.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("../x", "try x"),
        ("/etc/passwd", "try etc-passwd"),
        ("", "try my-tool"),
        ("Größe", "try groe"),
        ("日誌", "try my-tool"),
        ("My_Tool", "try my-tool"),
        ("a\nb", "try a-b"),
        ("a--b", "try a-b"),
        ("9lives", "try lives"),
        ("x" * 300, "try " + "x" * 40),
        ("class", "try class-tracer"),
        ("auto", "try auto-tracer"),
        ("all", "try all-tracer"),
        ("filters", "choose another name"),
        ("preload", "roar-tracer-preload has the tracer 'preload' already"),
    ],
)
def test_a_name_that_would_not_do_is_refused(
    project: ProjectUnderTest, name: str, remedy: str
) -> None:
    result = project.roar("plugins", "new", "tracer", "--", name)
    assert result.exit_code == 2
    assert remedy in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in project.root.iterdir()] == [".roar"]


def test_a_command_may_not_be_called_like_one_of_roars_own(project: ProjectUnderTest) -> None:
    result = project.roar("plugins", "new", "command", "show")
    assert result.exit_code == 2
    assert "'show' is a command of roar's own" in result.stderr


def test_the_name_of_an_object_is_taken_as_the_name_of_a_plugin_is(
    project: ProjectUnderTest, install_plugin: InstalledPlugins
) -> None:
    code = """
from roar_core.hookspecs import hookimpl
class Tally:
    name, title, patterns = "tally", "Tally", ("tally/",)
    def references(self, run): ...
@hookimpl
def roar_analyzers(config):
    return [Tally()]
"""
    install_plugin("several", code, group="roar.analyzers")
    result = project.roar("plugins", "new", "analyzer", "tally")
    assert result.exit_code == 2
    assert "several has the analyzer 'tally' already" in result.stderr
    assert project.roar("plugins", "new", "tracer", "tally").exit_code == 0


def test_what_is_there_already_stays_as_it_is(project: ProjectUnderTest) -> None:
    kept = project.write("roar-analyzer-mine/notes.txt", "mine")
    result = project.roar("plugins", "new", "analyzer", "mine")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "'roar-analyzer-mine' is there already; name another folder with --into" in result.stderr
    assert list(kept.parent.iterdir()) == [kept]


def test_an_empty_folder_is_filled(project: ProjectUnderTest) -> None:
    (project.root / "empty").mkdir()
    assert project.roar("plugins", "new", "analyzer", "mine", "--into", "empty").exit_code == 0
    assert (project.root / "empty/pyproject.toml").exists()


@pytest.mark.parametrize("into", ["no/such/folder", "file.txt", "file.txt/below", "link", "-"])
def test_where_nothing_can_be_written_nothing_is(project: ProjectUnderTest, into: str) -> None:
    project.write("file.txt", "")
    (project.root / "link").symlink_to("nowhere")
    (project.root / "-").mkdir()
    project.write("-/kept.txt", "")
    before = contents(project.root).keys()
    result = project.roar("plugins", "new", "analyzer", "mine", "--into", into)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert contents(project.root).keys() == before


def test_a_full_disk_leaves_nothing_behind(project: ProjectUnderTest) -> None:
    shell = f"ulimit -f 0; {' '.join(project.roar_argv)} plugins new analyzer mine"
    result = project.shell(f"trap '' XFSZ; {shell}")
    assert "cannot write 'roar-analyzer-mine': File too large" in result.stdout
    assert [path.name for path in project.root.iterdir()] == [".roar"]


def test_its_help_names_every_kind(project: ProjectUnderTest) -> None:
    text = " ".join(project.roar("plugins", "new", "--help").stdout.split())
    assert f"KIND is one of {', '.join(WORDS)}." in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("roar plugins ", {"list", "new", "check"}),
        ("roar plugins check roar-tracer-pre", {"roar-tracer-preload"}),
        ("roar plugins new ", set(WORDS)),
        ("roar plugins new ana", {"analyzer"}),
    ],
)
def test_a_shell_completes_it(project: ProjectUnderTest, words: str, expected: set[str]) -> None:
    environ = {
        "_ROAR_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    roar = shutil.which("roar", path=project.environment()["PATH"])
    assert roar
    done = subprocess.run(
        [roar], env=project.environment(environ), capture_output=True, text=True, check=False
    )
    assert expected <= {line.partition(",")[2] for line in done.stdout.splitlines()}


def run(
    *arguments: str, cwd: Path, python: Path = Path(sys.executable)
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if not k.startswith(("ROAR_", "PYTEST_"))},
        capture_output=True,
        text=True,
        check=False,
    )

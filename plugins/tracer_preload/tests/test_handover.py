"""Where the library cannot go, the run's other tracer is asked to: how, and when it is not.

The successor here keeps to the documented command line and notes what it was told; what a real one
records is tested where it lives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roar_core.journal import Kind

SUCCESSOR = r"""
extern char **environ;
int main(int argc, char **argv) {
    FILE *note = fopen(getenv("NOTE"), "a");
    for (int i = 1; i < argc; i++) fprintf(note, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
    for (char **e = environ; *e; e++)
        if (strstr(*e, "LD_PRELOAD=") == *e || strstr(*e, "ROAR_TRACE=") == *e)
            fprintf(note, "%s\n", *e);
    fclose(note);
    execv(argv[4], argv + 5);
    return 126;
}
"""
PROGRAM = "for (int i = 0; i < argc; i++) puts(argv[i]); fflush(stdout); return 7;"
FACES = {
    "execve": 'extern char **environ; execve("./static", words, environ);',
    "execv": 'execv("./static", words);',
    "execl": 'execl("./static", "name", "a b", "", (char *)0);',
    "execvp": 'setenv("PATH", ".", 1); execvp("static", words);',
    "posix_spawn": """extern char **environ; pid_t child; int status;
        posix_spawn(&child, "./static", 0, 0, words, environ);
        waitpid(child, &status, 0); return WEXITSTATUS(status);""",
    "posix_spawnp": """extern char **environ; pid_t child; int status; setenv("PATH", ".", 1);
        posix_spawnp(&child, "static", 0, 0, words, environ);
        waitpid(child, &status, 0); return WEXITSTATUS(status);""",
}
WORDS = 'char *words[] = {"name", "a b", "", 0};'


class Successor:
    """A successor that was built, and what it noted."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.path = os.fsencode(program)
        self._note = folder / "note"
        self.environ = {**os.environ, "NOTE": str(self._note), "LD_PRELOAD": ""}

    @property
    def told(self) -> list[str]:
        return self._note.read_text().splitlines() if self._note.exists() else []


@pytest.fixture
def successor(build: Callable[..., Path], tmp_path: Path) -> Successor:
    return Successor(build(SUCCESSOR, "-static", name="successor", whole=True), tmp_path)


@pytest.fixture
def static(build: Callable[..., Path], folder: Path) -> Path:
    program = build(PROGRAM, "-static", name="static")
    return program.rename(folder / "static")


@pytest.fixture
def hand_over(trace: Callable[..., Any], successor: Successor) -> Callable[..., Any]:
    def run(*argv: str | Path, **more: Any) -> Any:
        return trace(
            *argv,
            environ=successor.environ | more.pop("environ", {}),
            successor=successor.path,
            **more,
        )

    return run


@pytest.mark.parametrize("face", FACES)
def test_a_program_we_cannot_enter_is_given_to_the_successor(
    face: str,
    build: Callable[..., Path],
    static: Path,
    hand_over: Callable[..., Any],
    successor: Successor,
) -> None:
    ran = hand_over(build(WORDS + FACES[face]))
    assert (ran.code, ran.stdout.split(b"\n")) == (7, [b"name", b"a b", b"", b""])
    [told, *variables] = successor.told
    option, _journal, dashes, program, *argv = told.split(" ")
    assert (option, dashes, argv) == ("--journal", "--", ["name", "a", "b", ""])
    assert os.path.samefile(static.parent / program, static)
    assert variables in ([], ["LD_PRELOAD="])
    assert ran.gaps() == set()
    assert len(ran.of(Kind.EXEC)) == 1


def test_the_command_itself_is_given_to_the_successor(
    static: Path, hand_over: Callable[..., Any], successor: Successor
) -> None:
    ran = hand_over(static, "x")
    assert (ran.code, ran.stdout) == (7, os.fsencode(static) + b"\nx\n")
    assert len(successor.told) >= 1
    assert ran.gaps() == set()


def test_its_argv_may_be_longer_than_our_stack_allows(
    build: Callable[..., Path],
    static: Path,
    hand_over: Callable[..., Any],
    successor: Successor,
) -> None:
    body = """static char *many[5001]; for (int i = 0; i < 5000; i++) many[i] = "word";
        execv("./static", many);"""
    ran = hand_over(build(body))
    assert (ran.code, ran.stdout) == (7, b"word\n" * 5000)
    assert len(successor.told[0].split(" ")) == 4 + 5000


def test_a_user_s_own_preload_stays(
    build: Callable[..., Path],
    static: Path,
    hand_over: Callable[..., Any],
    successor: Successor,
    library: Path,
) -> None:
    theirs = build(
        "int theirs(void) { return 0; }", "-shared", "-fPIC", name="theirs.so", whole=True
    )
    ran = hand_over(build(WORDS + FACES["execv"]), environ={"LD_PRELOAD": str(theirs)})
    assert ran.code == 7
    assert successor.told[1:] == [f"LD_PRELOAD={theirs}"]


@pytest.mark.parametrize(
    "why",
    [
        pytest.param(b"/absent/successor", id="it-is-gone"),
        pytest.param(b"", id="there-is-none"),
    ],
)
def test_without_a_successor_it_runs_all_the_same_and_is_a_gap(
    why: bytes, build: Callable[..., Path], static: Path, trace: Callable[..., Any]
) -> None:
    for face in ("execv", "posix_spawn"):
        ran = trace(build(WORDS + FACES[face]), successor=why)
        assert (ran.code, ran.stdout) == (7, b"name\na b\n\n")
        assert ran.gaps() == {"static"}


def test_a_program_executed_by_descriptor_has_no_name_to_hand_over(
    build: Callable[..., Path],
    static: Path,
    hand_over: Callable[..., Any],
    successor: Successor,
) -> None:
    body = """extern char **environ; fexecve(open("static", O_RDONLY), words, environ);"""
    ran = hand_over(build(WORDS + body))
    assert (ran.code, successor.told, ran.gaps()) == (7, [], {"static"})


def test_a_program_that_may_not_be_executed_fails_as_it_would(
    build: Callable[..., Path],
    static: Path,
    hand_over: Callable[..., Any],
    successor: Successor,
) -> None:
    static.chmod(0o644)
    ran = hand_over(build(WORDS + 'execv("./static", words); return errno == EACCES ? 0 : 1;'))
    assert (ran.code, successor.told) == (0, [])

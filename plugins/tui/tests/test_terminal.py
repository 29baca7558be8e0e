"""`roar tui` as it is started: at a terminal, without one, and where there is nothing to show."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from roar_core.testing.projects import ProjectUnderTest


class Terminal:
    """`roar` with arguments at a terminal of its own."""

    def __init__(self, project: ProjectUnderTest, *arguments: str, **variables: str) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 140))
        self.seen = b""
        self._process = subprocess.Popen(
            # -P: as the script `roar` does, without the working directory among the modules.
            [sys.executable, "-P", "-m", "roar_core", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=project.root,
            env=project.environment(
                {"TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
            ),
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, words: bytes) -> None:
        """Read until `words` were drawn; EOFError when the command ends without."""
        while words not in self.seen:
            self.seen += self._read()

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def ended(self) -> int:
        """Read to the end and return the exit status."""
        try:
            while True:
                self.seen += self._read()
        except EOFError:
            os.close(self._master)
            return self._process.wait()

    def _read(self) -> bytes:
        try:
            data = os.read(self._master, 65536)
        except OSError as error:  # Linux: EIO when the last writer has gone
            raise EOFError(self.seen) from error
        if not data:
            raise EOFError(self.seen)
        return data


@pytest.mark.needs("cc")
@pytest.mark.parametrize("no_color", ["", "1"])
def test_it_starts_at_a_terminal_and_q_leaves_it(project: ProjectUnderTest, no_color: str) -> None:
    project.write("a.txt", "hello")
    assert project.run("cp", "a.txt", "b.txt").exit_code == 0
    # A json.py of the project must not be taken for Python's.
    project.write("json.py", "raise SystemExit('not me')")
    terminal = Terminal(project, "tui", NO_COLOR=no_color)
    terminal.wait_for(b"blake3:")
    terminal.press(b"q")
    assert terminal.ended() == 0
    colours = {
        tuple(found.split(b";"))
        for found in re.findall(rb"\x1b\[(?:\d+;)*[34]8;2;(\d+;\d+;\d+)", terminal.seen)
    }
    assert any(len(set(colour)) > 1 for colour in colours) is not bool(no_color)


def test_without_a_terminal_it_is_a_sentence(project: ProjectUnderTest) -> None:
    done = project.roar("tui")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "roar: roar tui needs a terminal; for the same as text use: roar dag\n"


def test_an_empty_project_is_a_sentence_before_the_screen_is_taken(
    project: ProjectUnderTest,
) -> None:
    terminal = Terminal(project, "tui", NO_COLOR="1")
    assert terminal.ended() == 1
    assert terminal.seen.startswith(
        b"roar: nothing is recorded here yet: .roar/roar.db does not exist;"
    )
    assert terminal.seen.count(b"\n") == 1


def test_no_project_is_a_sentence_before_the_screen_is_taken(project: ProjectUnderTest) -> None:
    (project.root / ".roar").rmdir()
    terminal = Terminal(project, "tui", NO_COLOR="1")
    assert terminal.ended() == 1
    assert re.fullmatch(rb"roar: [^\n]*\r\n", terminal.seen)
    assert b"\x1b" not in terminal.seen


def test_help_does_not_import_textual(project: ProjectUnderTest) -> None:
    script = (
        "import sys; from roar_core.cli.main import run_command_line as run;"
        "assert run(['tui', '--help']) == 0; assert 'textual' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Example: roar tui" in done.stdout

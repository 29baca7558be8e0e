"""How values read to people."""

from __future__ import annotations

import pytest

from roar_core.cli import wording


@pytest.mark.parametrize(
    ("command", "title"),
    [
        ("python train.py --lr 1", "train.py --lr 1"),
        ("/usr/bin/python3.11 -u -B train.py", "train.py"),
        ("python -m pkg.train", "python -m pkg.train"),
        ("python -X dev train.py", "python -X dev train.py"),
        ("python", "python"),
        ("bash prepare.sh a", "prepare.sh a"),
        ("perl -e 1", "perl -e 1"),
        ("/usr/bin/shuf data.txt", "shuf data.txt"),
        ("make -j4", "make -j4"),
    ],
)
def test_a_job_is_called_by_its_script(command: str, title: str) -> None:
    assert wording.title(None, command.split()) == title
    assert wording.title("given", command.split()) == "given"


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_940, "99.9 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (2**40, "1.1 TB"),
        (2**63, "9,223.4 PB"),
    ],
)
def test_sizes_have_two_or_three_digits(size_bytes: int, words: str) -> None:
    assert wording.size(size_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (9.994, "9.99 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_carry_over(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_text_is_cut_by_what_it_shows_not_by_characters() -> None:
    assert wording.fit("数据数据", 5) == "数据…"
    assert wording.fit("abcde", 5) == "abcde"
    assert wording.fit("abcdef", 5) == "abcd…"
    assert wording.fit("a\x1b[31m", None) == "a\\x1b[31m"


@pytest.mark.parametrize(
    ("state", "exit_code", "signal", "words"),
    [
        ("succeeded", 0, None, "succeeded"),
        ("failed", 3, None, "failed with exit code 3"),
        ("failed", None, "SIGTERM", "failed, killed by SIGTERM"),
        ("interrupted", None, None, "interrupted"),
        ("running", None, None, "running"),
    ],
)
def test_an_ending_says_why(
    state: str, exit_code: int | None, signal: str | None, words: str
) -> None:
    assert wording.ending(state, exit_code, signal) == words

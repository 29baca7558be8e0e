"""The quick reading of `roar run …` never differs from click's."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.cli import carry_out as carrying
from roar_core.cli.main import roar
from roar_core.cli.run_words import plain_run
from roar_core.run.options import RunOptions

OPTIONS = ["-q", "--quiet", "-v", "-vv", "--verbose", "-n", "--name", "--tracer", "--hash"]
OPTIONS += [
    "--dirty",
    "--no-fallback",
    "--",
    "-",
    "-c",
    "--help",
    "--json",
    "-x",
    "--name=a",
    "-nq",
]
VALUES = ["train", "auto", "preload", "sha256", "md5", "crc", "allow", "snapshot", "never", ""]
WORDS = st.sampled_from([*OPTIONS, *VALUES, "python"])


class Understood(Exception):
    """Carries out of click what it understood."""


def clicks_reading(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> RunOptions | None:
    def stop(options: RunOptions) -> int:
        raise Understood(options)

    with monkeypatch.context() as patch:
        patch.setattr(carrying, "carry_out", stop)
        try:
            roar.main(arguments, standalone_mode=False)
        except Understood as understood:
            options: Any = understood.args[0]
            assert isinstance(options, RunOptions)
            return options
        except (click.ClickException, Exception):
            return None
    return None


@given(kind=st.sampled_from(["run", "build"]), words=st.lists(WORDS, max_size=7))
def test_both_understand_the_same(kind: str, words: list[str]) -> None:
    quick = plain_run([kind, *words])
    with pytest.MonkeyPatch.context() as monkeypatch:
        by_click = clicks_reading([kind, *words], monkeypatch)
    assert quick is None or quick == by_click


@pytest.mark.parametrize(
    "words",
    [
        ["python", "train.py", "--lr", "0.1"],
        ["-q", "-n", "clean", "--", "sh", "-c", "sort in > out"],
        ["-v", "-v", "--hash", "sha256", "--hash", "md5", "--dirty", "allow", "make", "-j4"],
        ["--tracer", "preload", "-vv", "true"],
    ],
)
def test_the_usual_is_understood_quickly(words: list[str]) -> None:
    assert plain_run(["run", *words]) is not None


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["-n"], ["-q", "-v", "x"], ["--hash", "crc", "x"], ["--unknown", "x"]]
)
def test_what_needs_explaining_is_left_to_click(words: list[str]) -> None:
    assert plain_run(["run", *words]) is None

"""Words of another client's command line: each works, or is answered with what roar has."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from roar_core.cli import habits
from roar_core.cli.main import roar, run_command_line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("projects list", "roar scope use OWNER/PROJECT; see: roar --help"),
        ("nothing-like-it", "there is no command 'nothing-like-it'; see: roar --help"),
        ("regster", "did you mean register?; see: roar --help"),
        ("login --glaas-api-url https://x.example", "--url"),
        ("show --job 12345678", "REF alone"),
        ("put a b --no-tag", "no tags in git"),
        ("label set artifact model.pkl stage=prod", "try: roar label set model.pkl stage=prod"),
        ("label show dag current", "try: roar label show session:current"),
        ("label sync job @3 --dry-run", "try: roar label sync @3 --dry-run"),
    ],
)
def test_what_is_called_otherwise_is_named(
    line: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command_line(line.split()) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert told in sentence
    assert sentence.count("see: ") <= 1


def test_a_file_called_like_a_kind_is_a_ref(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job").touch()
    run_command_line(["label", "sync", "job", "@3"])
    assert "no word for its kind" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [("auth", "login"), ("auth", "logout"), ("init",), ("reset",)])
def test_what_people_type_is_there(words: tuple[str, ...]) -> None:
    command: click.Command = roar
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    if len(words) == 1:
        command.make_parser(click.Context(command)).parse_args(["-y"])


def test_every_hint_is_for_an_option_that_is_not_there() -> None:
    for option, hints in habits._OPTIONS.items():
        for path in filter(None, hints):
            command: click.Command = roar
            for word in path.split():
                assert isinstance(command, click.Group)
                found = command.get_command(click.Context(command), word)
                assert found is not None, path
                command = found
            assert option not in {name for each in command.params for name in each.opts}

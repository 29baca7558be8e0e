"""Give an option of a recorded command another value: `--set lr=0.1` on `train.py --lr 0.5`.

Pure, and on the list of arguments, never on a line of shell: a value may hold anything. An override
changes exactly one thing or is refused with the reason; it is never ignored and never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from roar_core.errors import UsageError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


class _Place(NamedTuple):
    """Where an option stands: its word, how it is spelled there, and its value if it has one.

    `form`: `joined` (`--lr=1`, `lr=1`), `attached` (`-l1`), `apart` (`--lr 1`) or `flag`.
    """

    at: int
    spelled: str
    form: str
    value: str = ""


def with_overrides(command: Sequence[str], overrides: Sequence[str]) -> tuple[str, ...]:
    """`command` with each `NAME=VALUE` of `overrides` applied, in their order.

    Raises `UsageError` when one has no such option to go to, or more than one.
    """
    names = [override.partition("=")[0].lstrip("-") for override in overrides]
    for override, name in zip(overrides, names, strict=True):
        if "=" not in override or not name:
            raise UsageError(f"--set takes NAME=VALUE, such as --set lr=0.1; got {override!r}")
        if names.count(name) > 1:
            raise UsageError(f"--set gives {name} more than one value; give it one")
    words = list(command)
    for override in overrides:
        name, _, value = override.partition("=")
        _apply(words, name, value)
    return tuple(words)


def _apply(words: list[str], name: str, value: str) -> None:
    places = list(_places(words, name)) or list(_places(words, name, loosely=True))
    if not places:
        raise UsageError(_not_found(words, name))
    if len(places) > 1:
        spelled = " and ".join(_as_written(words, place) for place in places)
        raise UsageError(
            f"--set {name} is ambiguous: the command has {spelled}; type the whole command again"
        )
    (place,) = places
    match place.form:
        case "joined":
            words[place.at] = f"{place.spelled}={value}"
        case "attached":
            words[place.at] = f"{place.spelled}{value}"
        case "apart":
            _set_apart(words, place, name, value)
        case _:
            _set_flag(words, place, name, value)


def _set_apart(words: list[str], place: _Place, name: str, value: str) -> None:
    if value.lower() in ("true", "false") and place.value.lower() not in (*_TRUE, *_FALSE):
        raise UsageError(
            f"--set {name}={value} is ambiguous: {place.value!r} may be the value of"
            f" {place.spelled}, or {place.spelled} a flag before it; type the whole command again"
        )
    if value.startswith("-") and not _NUMBER.fullmatch(value) and value != "-":
        # Alone it would be read as an option of its own.
        joint = "=" if place.spelled.startswith("--") else ""
        words[place.at : place.at + 2] = [f"{place.spelled}{joint}{value}"]
    else:
        words[place.at + 1] = value


def _set_flag(words: list[str], place: _Place, name: str, value: str) -> None:
    if value.lower() in _FALSE:
        del words[place.at]
    elif value.lower() not in _TRUE:
        raise UsageError(
            f"{place.spelled} stands in the command without a value, so --set {name}={value} has"
            f" nothing to replace; {name}=false takes it out"
        )


def _places(words: Sequence[str], name: str, *, loosely: bool = False) -> Iterator[_Place]:
    """Every place in `words` where `name` is an option; `loosely`: whatever joins its words."""
    wanted = name.lstrip("-")
    dashes = name[: len(name) - len(wanted)]
    same = _loose if loosely else str
    for index, word in enumerate(words):
        head, equals, tail = word.partition("=")
        bare = head.lstrip("-")
        if index == 0 or not bare or (dashes and head[: len(head) - len(bare)] != dashes):
            continue
        if same(bare) == same(wanted):
            if equals:
                yield _Place(index, head, "joined", tail)
            elif head.startswith("-"):
                yield _apart_or_flag(words, index)
        elif len(wanted) == 1 and _is_attached(word, wanted):
            yield _Place(index, word[:2], "attached", word[2:])


def _apart_or_flag(words: Sequence[str], index: int) -> _Place:
    following = words[index + 1 : index + 2]
    for value in following:
        if not value.startswith("-") or value == "-" or _NUMBER.fullmatch(value):
            return _Place(index, words[index], "apart", value)
    return _Place(index, words[index], "flag")


def _is_attached(word: str, letter: str) -> bool:
    """Whether `word` is `-l0.1`; of `-la` nobody can tell, it may be two flags."""
    return word.startswith(f"-{letter}") and bool(_NUMBER.fullmatch(word[2:]))


def _loose(name: str) -> str:
    return name.replace("_", "-")


def _as_written(words: Sequence[str], place: _Place) -> str:
    after = f" {place.value}" if place.form == "apart" else ""
    return repr(f"{words[place.at]}{after}")


def _not_found(words: Sequence[str], name: str) -> str:
    """Why `name` cannot be set, with what is there instead."""
    bare = name.lstrip("-")
    script = next((word for word in words[1:] if _mentions(word, bare)), None)
    if script is not None:
        return (
            f"--set {name} would have to change the text {_short(script)} that the command hands"
            " to another program; type the whole command again"
        )
    clustered = _clustered(words, bare)
    if clustered:
        return (
            f"--set {name} is ambiguous: whether {clustered} holds an option -{bare} cannot be"
            " told; type the whole command again"
        )
    spelled = f"-{bare}" if len(bare) == 1 else f"--{bare}"
    options = list(dict.fromkeys(_options(words)))
    has = f"it has {', '.join(options[:12])}" if options else "it has no options"
    return (
        f"--set {name}: the command has no option {spelled} ({has});"
        f" to add one, put it behind --, as in: -- {spelled} VALUE"
    )


def _mentions(word: str, bare: str) -> bool:
    """Whether an argument is itself a command line, with the option in it."""
    return bool(re.search(rf"\s--?{re.escape(bare)}(?=[\s=]|$)", word))


def _clustered(words: Sequence[str], bare: str) -> str | None:
    if len(bare) != 1:
        return None
    return next((w for w in words[1:] if re.fullmatch(r"-[A-Za-z0-9]{2,}", w) and bare in w), None)


def _options(words: Sequence[str]) -> Iterator[str]:
    for word in words[1:]:
        head, equals, _ = word.partition("=")
        if re.fullmatch(r"--?[A-Za-z0-9][\w.-]*", head) and not _NUMBER.fullmatch(word):
            yield head
        elif equals and re.fullmatch(r"[A-Za-z_][\w.-]*", head):
            yield f"{head}="


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")

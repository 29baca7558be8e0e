"""Values whose name says that they are secret: `name=value`, `"name": "value"`, `--name value`.

What is no secret's name is passed over without its value, in which another name may stand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

from roar_core.redaction.contexts import Tell
from roar_core.redaction.names import is_secret_name, rule_of
from roar_core.redaction.patterns import Pattern

_FLAGS = re.IGNORECASE | re.ASCII
# No secret: `use_auth_token=True`.
_PLAIN = frozenset({"true", "false", "none", "null", "yes", "no", "on", "off", "nil"})
# Only names that may be a secret's, so that `url=https://host?token=…` is not taken for a `url`.
_PART = r"(?:pass|secret|token|key|auth|cred|sig|bearer|cookie|pw|_pat(?![a-z]))"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'"
# A comma ends a value where another name or a list goes on.
_COMMA = r",(?=[^\s\"'{\[,])(?![\w.-]{1,40}[\"']?[=:])"
_VALUE = Pattern(
    rf"(?:{_QUOTED}|\\\"[^\"\\]*\\\")(?:{_QUOTED}|[^\s&;|,)\]}}'\"\\])*"
    rf"|(?:\\.|[^\s&;|,'\"\\]|{_COMMA})+"
    r"|[\"'][^\s\"']+",
    re.ASCII,
)
# The rest of an argument in quotes, which may have spaces in it: to the next quote, or beyond those
# that a shell needs to quote a quote.
_TO_QUOTE = Pattern(r"[^'\"]{1,8192}(?=['\"])")
_TO_END = Pattern(r"[^'\"]{1,8192}(?:'\"'\"'[^'\"]{0,8192}){0,99}(?=['\"])")


class _Patterns(NamedTuple):
    """A name and what stands between it and its value."""

    assigned: re.Pattern[str]
    flag: re.Pattern[str]
    quoted: re.Pattern[str]
    nested: re.Pattern[str]


@functools.cache
def _patterns(further: tuple[str, ...]) -> _Patterns:
    """Those for names that hold one of the known parts, or of `further`, in lower case."""
    parts = "|".join([_PART, *map(re.escape, further)])
    name = rf"(?:(?<![\w.-])|(?<=%3f)|(?<=%26))(?P<name>[\w.-]{{0,99}}(?:{parts})[\w.-]{{0,99}})"
    sign = r"(?P<sign>\\?[\"'`]?\]?\s{0,16}(?:==?>?|:=|:(?![:/]/?)|%3d)\s{0,16})"
    return _Patterns(
        re.compile(name + sign, _FLAGS),
        re.compile(rf"(?=-){name}(?P<sign>['\"]?\s{{1,16}})(?!-)", _FLAGS),
        re.compile(rf"(?<!'\"'\"')(?<=['\"])(?=-){name}(?P<sign>=)", _FLAGS),
        re.compile(rf"(?<='\"'\"')(?=-){name}(?P<sign>=)", _FLAGS),
    )


class Unquoted(NamedTuple):
    """A value and the quotes around it."""

    before: str
    value: str
    after: str


def unquoted(value: str) -> Unquoted:
    for quote in ('\\"', '"', "'"):
        if len(value) >= 2 * len(quote) and value.startswith(quote) and value.endswith(quote):
            return Unquoted(quote, value[len(quote) : -len(quote)], quote)
    return Unquoted("", value, "")


def named(
    text: str,
    tell: Tell,
    is_secret: Callable[[str], bool] = is_secret_name,
    further: tuple[str, ...] = (),
) -> str:
    """`text` without the values of secret names."""
    patterns = _patterns(further)

    def replaced(text: str, pattern: re.Pattern[str], values: Pattern) -> str:
        kept: list[str] = []
        end, at = 0, 0
        while (match := pattern.search(text, at)) is not None:
            at = match.end()
            if not is_secret(match["name"]) or _is_empty(match):
                continue
            value = values.compiled.match(text, at)
            told = value and _told(match["name"], match["sign"], value[0], tell)
            if value and told is not None:
                kept += [text[end:at], told]
                end = at = value.end()
        return "".join([*kept, text[end:]]) if kept else text

    if "-" in text:
        text = replaced(text, patterns.quoted, _TO_END)
        text = replaced(text, patterns.nested, _TO_QUOTE)
    text = replaced(text, patterns.assigned, _VALUE)
    return replaced(text, patterns.flag, _VALUE) if "-" in text else text


def _is_empty(match: re.Match[str]) -> bool:
    """Whether a variable of a command is set to nothing: `HF_TOKEN= python train.py`."""
    sign = match["sign"]
    return match["name"].isupper() and sign[:1] == "=" and sign[-1:].isspace()


def _told(name: str, sign: str, value: str, tell: Tell) -> str | None:
    """What stands in the place of a value; None: it stays."""
    quotes = unquoted(value)
    if not quotes.value or is_plain(quotes.value) or value.startswith("***@"):
        return None
    if sign[-1].isspace() and not sign.strip(" \t\n'\"") and quotes.value.startswith("-"):
        return None
    # `Authorization: Bearer …` was dealt with, and prose says `token: bearer …`.
    is_header = "authorization" in name.lower() and not sign.isspace()
    if is_header or quotes.value.lower() in ("bearer", "basic", "digest", "token"):
        return None
    is_json = sign[0] in "\"'\\" and not sign[1:].isspace()
    told = tell(rule_of(name, is_json=is_json), name, quotes.value)
    if told == quotes.value:
        return None
    return f"{quotes.before}{told}{quotes.after}" if is_json or ":" in sign else told


def is_plain(value: str) -> bool:
    """Whether a value can be no secret: `true`, `none`."""
    return value.lower() in _PLAIN

"""Texts in a row: a command and its arguments, a variable and its value, the lines of a key.

What is a secret is often told by the text before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from roar_core.redaction import programs
from roar_core.redaction.assignments import is_plain
from roar_core.redaction.contexts import MASK, is_numbers
from roar_core.redaction.found import Finding, Redacted
from roar_core.redaction.names import rule_of

if TYPE_CHECKING:
    from roar_core.redaction.redactor import Redactor, Sieve

_FLAG = re.compile(r"-{1,2}[A-Za-z][\w.-]*", re.ASCII)
_LOGINS = ("-u", "-U", "--user", "--proxy-user")
_AWS_ID = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", re.ASCII)
# 40 characters of base64 that are no commit.
_AWS_KEY = re.compile(r"(?![0-9a-f]{40})[A-Za-z0-9/+]{40}", re.ASCII)
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY", re.ASCII)
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY", re.ASCII)


def mask_row(
    redactor: Redactor, row: Sequence[str], sieve: Sieve
) -> tuple[list[str], list[tuple[int, Finding]]]:
    """The texts without their secrets, and (place, finding) of each, in order."""
    kept: list[str] = []
    found: list[tuple[int, Finding]] = []
    before, program, is_key = "", "", False
    has_aws_id = any_aws_id(row)
    for place, text in enumerate(row):
        if is_key:
            masked = Redacted(MASK, (Finding("private_key", "token"),))
        elif has_aws_id and is_aws_key(text):
            masked = redactor.whole("aws_secret_key", "token", text)
        else:
            masked = _masked(redactor, text, before, program, sieve)
        kept.append(masked.text)
        found += [(place, finding) for finding in masked.found]
        program = programs.named(text) or program
        before = text if _may_name(text, place, len(row)) else ""
        if "PRIVATE KEY" in text:
            begins = _PEM_BEGIN.search(text) is not None
            is_key = (is_key or begins) and _PEM_END.search(text) is None
    return kept, found


def any_aws_id(texts: Iterable[Any]) -> bool:
    """Whether one of them holds the id of an AWS key, so that another may be the key."""
    return any(
        isinstance(text, str) and ("AKIA" in text or "ASIA" in text) and _AWS_ID.search(text)
        for text in texts
    )


def is_aws_key(text: str) -> bool:
    """Whether it has the form of an AWS secret key; much has, so ask `any_aws_id` first."""
    return len(text) == 40 and _AWS_KEY.fullmatch(text) is not None


def _may_name(text: str, place: int, length: int) -> bool:
    """Whether it may name the text after it: a flag, or the first of two, all in capitals."""
    return _FLAG.fullmatch(text) is not None or (place == 0 and length == 2 and text.isupper())


def _masked(redactor: Redactor, text: str, before: str, program: str, sieve: Sieve) -> Redacted:
    is_value = bool(before) and bool(text) and not _is_flag(text)
    if is_value and redactor.is_secret_name(before) and not is_plain(text):
        return redactor.whole(rule_of(before), before, text)
    if is_value and before in _LOGINS and ":" in text:
        user, _, value = text.partition(":")
        if not is_numbers(user, value):
            told = redactor.whole("generic_password_arg", before, value)
            named = redactor.mask_with(sieve, user)
            return Redacted(f"{named.text}:{told.text}", (*named.found, *told.found))
    if program and (secret := programs.secret_in(program, before, text)) is not None:
        told = redactor.whole("generic_password_arg", programs.flag_of(program), secret)
        return Redacted(text[: len(text) - len(secret)] + told.text, told.found)
    name, _, value = text.partition("=")
    if value and _is_one(name, value) and redactor.is_secret_name(name):
        if is_plain(value):
            return Redacted(text)
        told = redactor.whole(rule_of(name), name, value)
        return Redacted(f"{name}={told.text}", told.found)
    return redactor.mask_with(sieve, text)


def _is_one(name: str, value: str) -> bool:
    """Whether all that follows the sign is one value: of a flag, or without a space in it."""
    return not _has_space(name) and (name.startswith("-") or not _has_space(value))


def _has_space(text: str) -> bool:
    return any(map(str.isspace, text))


def _is_flag(text: str) -> bool:
    """Whether it looks like a flag itself, and not like a value that begins with a dash."""
    return text.startswith("-") and (text.strip("-") == "" or text.lstrip("-")[0].isalpha())

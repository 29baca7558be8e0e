"""Find secrets in what people type: flags, assignments, headers and URLs. Pure.

What leaves the machine has `***` in their place. Better one value too many than one too few, but a
parameter of a model is no secret: `--max-tokens 512` and `--pad-token <pad>` stay. What is masked
already is found again, so that a document that is exported again says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

MASK = "***"
_SHORTEST_SECRET = 16

_ALWAYS = {
    *("password", "passwd", "passphrase", "secret", "secrets", "credential", "credentials"),
    *("apikey", "authorization", "signature"),
}
# Secret where they end a name: `--hf-token`, `auth`; a `token_count` is none.
_LAST = {"token", "auth", "sig", "accesstoken", "authtoken", "bearer"}
# Of tokenizers: `--pad-token`, `eos_token`.
_OF_TEXT = {
    *("pad", "eos", "bos", "unk", "mask", "sep", "cls", "special", "max", "num", "min", "next"),
    *("start", "end", "stop", "image", "per", "first", "last", "blank", "begin", "new", "any"),
}
_KEYS = {"api", "access", "private", "secret", "auth", "signing", "encryption", "account"}

# Whoever writes a text may mean harm: no pattern here may look at a long text again and again, so
# names and schemes have a longest length, and a token that may fail begins where no other is begun.

# Forms that nothing else has: RFC 7468, RFC 7519, and the prefixes that GitHub, GitLab, AWS, Slack,
# Hugging Face and OpenAI give their tokens so that scanners can find them.
_TOKENS = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[0-9]+-[0-9A-Za-z-]{10,}|\bhf_[A-Za-z]{30,}\b"
    r"|\bsk-[A-Za-z0-9_-]{20,}|(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"
)
_USERINFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,31})://(?P<user>[^\s/@:'\"]*)(?P<rest>:[^\s/@'\"]*)?@", re.I
)
_SCHEME = re.compile(r"\b(?P<kind>Bearer|Basic|Digest)\s+(?P<value>\*\*\*|[\w.~+/=-]{6,})", re.I)
_VALUE = r"""(?P<value>"[^"]*"|'[^']*'|[^\s&;|,'"]+)"""
# Only names that may be a secret's, so that `url=https://host?token=…` is not taken for a `url`.
_NAME = (
    r"(?<![\w.-])(?P<name>[\w.-]{0,99}(?:pass|secret|token|key|auth|cred|sig|bearer)[\w.-]{0,99})"
)
_ASSIGNED = re.compile(rf"{_NAME}(?P<sign>\s*(?:=|:(?!//))\s*){_VALUE}", re.I)
_FLAG = re.compile(rf"(?=-){_NAME}(?P<sign>\s+){_VALUE}", re.I)
_LOGIN = re.compile(
    rf"(?P<flag>(?<![\w-])(?:-u|--user)(?:\s+|=))(?P<user>[^\s:'\"]{{1,256}}):{_VALUE}"
)
# What a name or a text must hold for a pattern above to find anything. Nearly all that comes by
# holds none of it, and looking for these is ten times as quick as trying the patterns.
_IN_NAMES = ("pass", "secret", "token", "key", "auth", "cred", "sig", "bearer")
_IN_TEXTS = (
    *_IN_NAMES,
    *("://", "basic", "digest", "-u"),
    *("-----begin", "gh", "github_pat_", "glpat-", "akia", "xox", "hf_", "sk-", "eyj"),
)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


class Masked(NamedTuple):
    """A text without its secrets, and what they were called, in order."""

    text: str
    what: tuple[str, ...] = ()


def is_secret_name(name: str) -> bool:
    """Whether a flag or variable of this name has a secret as its value."""
    lower = name.lower()
    if not any(part in lower for part in _IN_NAMES):
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    if not _ALWAYS.isdisjoint(words):
        return True
    if words[-1] in _LAST:
        return len(words) == 1 or words[-2] not in _OF_TEXT
    return any(a in _KEYS and b in ("key", "keys") for a, b in pairwise(words))


def mask(text: str) -> Masked:
    """`text` with every secret in it replaced."""
    # Beyond ASCII, what is the same letter in another case is left to the patterns themselves.
    if text.isascii():
        lower = text.lower()
        if not any(part in lower for part in _IN_TEXTS):
            return Masked(text)
    return _masked(text)


def _masked(text: str) -> Masked:
    found: list[str] = []

    def assigned(match: re.Match[str]) -> str:
        if not is_secret_name(match["name"]):
            return match[0]
        # `Authorization: Bearer …`: the word after it is no secret, what follows is, below.
        if match["value"].lower() in ("bearer", "basic", "digest", "token"):
            return match[0]
        found.append(match["name"])
        return f"{match['name']}{match['sign']}{MASK}"

    def flag(match: re.Match[str]) -> str:
        if not is_secret_name(match["name"]) or match["value"].startswith("-"):
            return match[0]
        found.append(match["name"])
        return f"{match['name']}{match['sign']}{MASK}"

    def login(match: re.Match[str]) -> str:
        found.append(match["flag"].strip(" ="))
        return f"{match['flag']}{match['user']}:{MASK}"

    def userinfo(match: re.Match[str]) -> str:
        is_web = match["scheme"].lower() in ("http", "https")
        if match["rest"] is None and not is_web:
            return match[0]
        found.append("login in a URL")
        user = MASK if is_web and match["rest"] is None else match["user"]
        return f"{match['scheme']}://{user}{'' if match['rest'] is None else ':' + MASK}@"

    def scheme(match: re.Match[str]) -> str:
        found.append(match["kind"])
        return f"{match['kind']} {MASK}"

    def token(_: re.Match[str]) -> str:
        found.append("token")
        return MASK

    if not text.isalnum():
        text = _USERINFO.sub(userinfo, text)
        text = _SCHEME.sub(scheme, text)
        text = _ASSIGNED.sub(assigned, text)
        text = _FLAG.sub(flag, text)
        text = _LOGIN.sub(login, text)
    text = _TOKENS.sub(token, text)
    return Masked(text, tuple(found))


def mask_named(name: str, value: str) -> Masked:
    """The value of a variable, a label or a flag called `name`."""
    if value and is_secret_name(name):
        return Masked(MASK, (name,))
    return mask(value)


def mask_command(arguments: Sequence[str]) -> tuple[list[str], list[tuple[int, str]]]:
    """A command without its secrets, and (place, what it was called) of each, in order."""
    kept: list[str] = []
    found: list[tuple[int, str]] = []
    before = ""
    for place, argument in enumerate(arguments):
        masked = mask(argument)
        is_value = before.startswith("-") and "=" not in before and not argument.startswith("-")
        if is_value and is_secret_name(before):
            masked = Masked(MASK, (before,))
        elif is_value and before in ("-u", "--user") and ":" in argument:
            masked = Masked(f"{argument.partition(':')[0]}:{MASK}", (before,))
        kept.append(masked.text)
        found += [(place, what) for what in masked.what]
        before = argument if place else ""
    return kept, found


def mask_in(value: object, name: str = "") -> tuple[object, tuple[str, ...]]:
    """A JSON value without its secrets, and what they were called."""
    if isinstance(value, str):
        return mask_named(name, value) if name else mask(value)
    if isinstance(value, dict):
        pairs = [(_mask_key(key), mask_in(item, str(key))) for key, item in value.items()]
        kept = {key.text: item for key, (item, _) in pairs}
        return kept, _all(key.what + what for key, (_, what) in pairs)
    if isinstance(value, list):
        items = [mask_in(item, name) for item in value]
        return [item for item, _ in items], _all(what for _, what in items)
    return value, ()


def _mask_key(key: str) -> Masked:
    """A key without secrets; most are too short to be one."""
    return mask(key) if len(key) >= _SHORTEST_SECRET else Masked(key, ())


def _all(found: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(what for some in found for what in some)

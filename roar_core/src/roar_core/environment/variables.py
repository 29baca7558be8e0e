"""Variables that a project gives to every command it records, and which of them are secrets.

A secret is given to the command like any other; roar shows and records its name alone.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from roar_core.environment.patterns import compiled
from roar_core.environment.sources import holds_secret

HIDDEN = "***"

# Whole words of a name, so that TOKENIZERS_PARALLELISM is none; URLs with a password in them.
_SENSITIVE_NAME = (
    r"(?i)(^|_)(secrets?|tokens?|passw(or)?ds?|passwd|pwd|passphrase|credentials?|auth|pat|keys?"
    r"|apikeys?)($|_)"
)
_SENSITIVE_URL = r"(?i)[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# roar's own settings are read before, and the loader would act on roar's helpers too.
_RESERVED = r"ROAR_.*|LD_.*|GLIBC_TUNABLES"


def is_secret(name: str, value: str) -> bool:
    """Whether a variable, by its name or by the form of its value, holds what nobody should see."""
    return bool(
        compiled(_SENSITIVE_NAME).search(name)
        or compiled(_SENSITIVE_URL).search(value)
        or holds_secret(value.encode("utf-8", "surrogateescape"))
    )


def masked(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` with the values of secrets hidden."""
    return {name: HIDDEN if is_secret(name, value) else value for name, value in variables.items()}


def problem_with(name: str) -> str | None:
    """Why `name` cannot be given to commands; None when it can."""
    if not compiled(_NAME).fullmatch(name):
        return f"{name!r} is no name of a variable: letters, digits and _, no digit first"
    if compiled(_RESERVED).fullmatch(name):
        return f"{name} is not given to commands; set it in your shell"
    return None


def give(variables: Mapping[str, str], environ: MutableMapping[str, str]) -> dict[str, str]:
    """Add `variables` to `environ`; return what the caller of roar had set to something else.

    His own shell is nearer to the command than the project's settings, so its values stay.
    """
    differing = {}
    for name, value in variables.items():
        if problem_with(name) is None and "\0" not in value:
            mine = environ.setdefault(name, value)
            if mine != value:
                differing[name] = mine
    return differing

"""Find secrets in what leaves the machine, and put `***` in their place. Pure.

Better one value too many than one too few, but a parameter of a model is no secret:
`--max-tokens 512` and `--pad-token <pad>` stay. What is recorded here keeps the original.

`redact` goes over every string of a document; `mask`, `mask_named`, `mask_command` and `mask_in`
over single ones. These use the rules that everybody has; a `Redactor` has those of a user as well.
The rules are told in docs/redaction.md.

Below: `names` (names of secrets), `assignments` (values of such names), `forms` (tokens of
unmistakable form), `contexts` (logins, headers), `programs`, `commands` (texts in a row),
`entropy`, `custom` (a user's own rules), `patterns` and `hints` (what keeps it quick), `redactor`,
`documents`, `catalogue`.
"""

from __future__ import annotations

from collections.abc import Sequence

from roar_core.redaction.contexts import MASK as MASK
from roar_core.redaction.documents import Masked as Masked
from roar_core.redaction.documents import Redaction as Redaction
from roar_core.redaction.documents import mask_in as mask_in
from roar_core.redaction.documents import redact as redact
from roar_core.redaction.found import Finding as Finding
from roar_core.redaction.found import Redacted as Redacted
from roar_core.redaction.names import is_secret_name as is_secret_name
from roar_core.redaction.redactor import DEFAULT as DEFAULT
from roar_core.redaction.redactor import Redactor as Redactor


def mask(text: str) -> Redacted:
    """`text` with every secret in it replaced."""
    return DEFAULT.mask(text)


def mask_named(name: str, value: str) -> Redacted:
    """The value of a variable, a label or a flag called `name`."""
    return DEFAULT.mask_named(name, value)


def mask_command(arguments: Sequence[str]) -> tuple[list[str], list[tuple[int, Finding]]]:
    """A command without its secrets, and (place, finding) of each, in order."""
    return DEFAULT.mask_command(arguments)

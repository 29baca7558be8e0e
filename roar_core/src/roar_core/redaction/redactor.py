"""Texts, named values and commands without their secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import attrs

from roar_core.redaction import contexts, entropy, programs
from roar_core.redaction.assignments import is_plain, named
from roar_core.redaction.commands import mask_row
from roar_core.redaction.contexts import MASK, Tell
from roar_core.redaction.custom import Allowed, Rule, literal_forms, search
from roar_core.redaction.forms import FORMS, Form
from roar_core.redaction.found import Finding, Redacted
from roar_core.redaction.hints import Hints
from roar_core.redaction.names import PARTS, is_secret_name, rule_of

# Rounds until nothing changes any more: what is masked may make a text another rule finds.
_MOST_ROUNDS = 5


class _Step(NamedTuple):
    """One family of rules. A text that holds none of `hints`, in lower case, holds none of it."""

    hints: tuple[str, ...]
    apply: Callable[[str, Tell], str]
    needs_context: bool = True

    def may_find(self, lower: str) -> bool:
        for hint in self.hints:  # noqa: SIM110 - a generator takes three times as long
            if hint in lower:
                return True
        return False


Sieve = tuple[_Step, ...]


@attrs.frozen
class Redactor:
    """Which secrets are found: those that everybody's rules know, and a user's own.

    `values` are secrets themselves, found inside longer texts too; `names` further names with
    secret values; `rules` further patterns; `allowed` says what is no secret. Handed down to
    whatever tells something to others; the module's functions use `DEFAULT`, which has none.
    """

    values: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    allowed: Allowed = attrs.field(factory=Allowed)
    entropy: bool = False
    _steps: Sieve = attrs.field(init=False, eq=False, repr=False)
    hints: Hints = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        further = tuple(sorted(self.names))

        def assignments(text: str, tell: Tell) -> str:
            return named(text, tell, self.is_secret_name, further)

        steps = [
            # One of Oracle's is looked through though its @ stands where else none matters.
            _Step(("@", "oracle:"), contexts.urls),
            _Step(("bearer", "basic", "authorization", "cookie"), contexts.headers),
            _Step((*PARTS, *further), assignments),
            _Step(("-u", "--proxy-user", "pwd", "machine"), contexts.logins),
            _Step(programs.HINTS, programs.in_text),
            *(_Step(form.hints, _of_form(form), needs_context=False) for form in FORMS),
        ]
        object.__setattr__(self, "_steps", tuple(steps))
        hints = Hints((hint for step in steps for hint in step.hints), further)
        object.__setattr__(self, "hints", hints)

    # --- single texts ----------------------------------------------------------------------------

    def is_secret_name(self, name: str) -> bool:
        """Whether a flag, variable, label or member of this name has a secret as its value."""
        return is_secret_name(name) or (
            bool(self.names) and name.lower().lstrip("-").replace("-", "_") in self.names
        )

    def mask(self, text: str) -> Redacted:
        """`text` with every secret in it replaced."""
        if not self.is_thorough and not self.hints.are_in(text):
            return Redacted(text)
        return self.mask_with(self._steps, text)

    def mask_named(self, name: str, value: str) -> Redacted:
        """The value of a variable, a label or a flag called `name`."""
        if value and self.is_secret_name(name) and not is_plain(value):
            told = self.whole(rule_of(name), name, value)
            if told.found:
                return told
        return self.mask(value)

    def mask_command(
        self, arguments: Sequence[str], sieve: Sieve | None = None
    ) -> tuple[list[str], list[tuple[int, Finding]]]:
        """A command without its secrets, and (place, finding) of each, in order.

        A flag and its value may be two arguments. `sieve` is that of a document they are part of.
        """
        return mask_row(self, arguments, self._steps if sieve is None else sieve)

    def whole(self, rule: str, name: str, value: str) -> Redacted:
        """A text that is a secret as a whole, unless it is allowed."""
        if self.allowed(name, value):
            return Redacted(value)
        return Redacted(MASK, (Finding(rule, name),))

    # --- many texts ------------------------------------------------------------------------------

    @property
    def is_thorough(self) -> bool:
        """Whether there are rules that every text must be tried on."""
        return bool(self.values or self.rules or self.entropy)

    def sieve(self, found: frozenset[str]) -> Sieve:
        """The steps that may find something in parts of a text that holds these of `hints`."""
        return tuple(step for step in self._steps if not found.isdisjoint(step.hints))

    def mask_with(self, sieve: Sieve, text: str) -> Redacted:
        """`text` without the secrets that the steps of `sieve` find, and this user's own."""
        once = self._round(sieve, text)
        found, now = once.found, once.text
        for _ in range(_MOST_ROUNDS):
            if now == text:
                break
            again = self._round(sieve, now)
            if again.text == now:
                break
            found, text, now = found + again.found, now, again.text
        return Redacted(now, tuple(dict.fromkeys(found)) if once.found else found)

    def _round(self, sieve: Sieve, text: str) -> Redacted:
        found: list[Finding] = []

        def tell(rule: str, name: str, value: str) -> str:
            if value != MASK and self.allowed(name, value):
                return value
            found.append(Finding(rule, name))
            return MASK

        for value in self.values:
            if value in text:
                found.append(Finding("value", "redaction.values"))
                text = text.replace(value, MASK)
        for rule in self.rules:
            text = search(rule, text, tell)
        lower = text.lower()
        is_word = text.isalnum()
        for step in sieve:
            if not (is_word and step.needs_context) and step.may_find(lower):
                text = step.apply(text, tell)
        if self.entropy:
            text = entropy.mask(text, tell)
        return Redacted(text, tuple(found))


def with_values(values: Sequence[str]) -> tuple[str, ...]:
    """`values` in every spelling that they are looked for in, the longest first."""
    return tuple(sorted({form for v in values for form in literal_forms(v)}, key=len, reverse=True))


def _of_form(form: Form) -> Callable[[str, Tell], str]:
    def apply(text: str, tell: Tell) -> str:
        def token(match: re.Match[str]) -> str:
            kept = (match.groupdict().get("kept") or "") if match.re.groupindex else ""
            return kept + tell(form.id, "token", match[0][len(kept) :])

        return form.compiled.sub(token, text)

    return apply


DEFAULT = Redactor()

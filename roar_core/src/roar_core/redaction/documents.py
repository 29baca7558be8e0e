"""The one pass over whatever leaves: every string of a JSON document, keys too.

Nobody has to remember which fields may hold a secret. What must not change is named here: digests
and uids, by the form of their value; bits in base64; and the paths of a dataset's members, which
are part of its hash: of those it is said that they hold something, and they stay.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from roar_core.redaction.assignments import is_plain
from roar_core.redaction.commands import any_aws_id, is_aws_key
from roar_core.redaction.contexts import MASK
from roar_core.redaction.found import Finding, Redacted
from roar_core.redaction.names import rule_of
from roar_core.redaction.redactor import DEFAULT, Redactor, Sieve

# Values of these members never change, when they have the form of a digest, a uid or a commit.
_IDENTITIES = frozenset(
    {
        *("hash", "digest", "value", "id", "uid", "job_uid", "parent_job_uid", "parent", "session"),
        *("producer", "further_producers", "rerun_of", "commit", "git_commit", "snapshot", "root"),
        *("target_hash", "session_hash", "component_digest", "job_hash", "dataset", "artifact"),
        *("blake3", "sha256", "sha512", "md5", "composite-blake3", "composite-sha256"),
        *("registration_session_id", "entity_hash", "entity_uid", "artifact_hash", "needs"),
    }
)
_IDENTITY = re.compile(
    r"(?:[a-z0-9-]{1,32}:)?(?:[0-9a-f]{16,128}|[0-9a-f]{8}(?:-[0-9a-f]{4,12}){4})"
)
# Which members were touched, and filters of membership.
_BITS = frozenset({"bits", "bloom_filter_base64"})
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
# A dataset's members: their paths are hashed with their content (docs/identity.md).
_MEMBERS = frozenset({"components"})
# Who wrote each label: words of the protocol, by the names of labels.
_BOOKS = frozenset({"key_origins"})
_WITH_CARE = _MEMBERS | _BOOKS | _IDENTITIES | {"raw"}
_MEMBER_PATHS = frozenset({"path", "relative_path", "raw"})
# {"name": "HF_TOKEN", "value": "…"}
_NAMES, _VALUES = ("name", "key", "variable", "header"), ("value", "val")
# {"google-auth": "2.3"}: versions of packages by name, under the names of graphs and of registries.
_PACKAGE = re.compile(r"/packages/(?:python|system|(?:build_)?(?:pip|dpkg))/[^/]*\Z")
_VERSION = re.compile(r"\d[0-9a-z.+~:!-]{0,47}", re.ASCII)
_TOO_LONG_FOR_ONE = re.compile(r"[a-z]{9}|\d{9}")
_MOST_WORDS_OF_ONE = 4
_LONGEST_SHORT_KEY = 15
_DEEPEST = 200


class Masked(NamedTuple):
    """A secret: the place, a JSON pointer (RFC 6901); the rule's id; what the secret was called."""

    where: str
    rule: str
    name: str


class Redaction(NamedTuple):
    """A document without secrets.

    `masked` is what was taken out; `kept` what was found where nothing may change.
    """

    document: Any
    masked: tuple[Masked, ...] = ()
    kept: tuple[Masked, ...] = ()


def redact(
    document: Any, redactor: Redactor = DEFAULT, *, at: str = "", again: bool = False
) -> Redaction:
    """A JSON-like document with nothing secret in it: the same object where nothing was found.

    `at` is the pointer to the document itself. `again`: what is masked already counts as found.
    """
    walk = _Walk(redactor, again=again, document=document)
    if walk.finds_nothing:
        return Redaction(document)
    kept = walk.value(document, at, "", 0)
    return Redaction(kept, tuple(walk.masked), tuple(walk.kept))


def mask_in(value: object, name: str = "") -> tuple[object, tuple[str, ...]]:
    """A JSON value without its secrets, and what they were called."""
    walk = _Walk(DEFAULT, again=True, document=value)
    kept = walk.value(value, "", name, 0)
    return kept, tuple(masked.name for masked in walk.masked)


def texts_of(document: object) -> set[str]:
    """Every text of a document, keys included, and what base64 says."""
    found: set[str] = set()
    _gather(document, found)
    return found


def _gather(value: object, found: set[str]) -> None:
    """Add the texts of a value that is none itself, or of any other."""
    kind = type(value)
    if kind is dict:
        assert isinstance(value, dict)
        if "raw" in value:
            found.update(_texts(value))
            return
        found.update(value)
        items: Iterable[object] = value.values()
    elif kind is list or kind is tuple:
        assert isinstance(value, list | tuple)
        items = value
    else:
        found.update(_texts(value))
        return
    for item in items:
        kind = type(item)
        if kind is str:
            found.add(item)  # type: ignore[arg-type]
        elif kind not in _NO_TEXTS:
            _gather(item, found)


_NO_TEXTS = frozenset({int, float, bool, type(None)})


def _texts(value: object, *, is_raw: bool = False) -> Iterator[str]:
    """Every string of a document, keys included, and what base64 says."""
    if isinstance(value, str):
        yield _decoded(value) if is_raw else value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item, is_raw=is_raw or key == "raw")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, is_raw=is_raw)


class _Walk:
    """One pass."""

    def __init__(self, redactor: Redactor, *, again: bool, document: object) -> None:
        self._redactor = redactor
        self._again = again
        # One look at all of it says which few texts any rule can find something in, and which rule.
        held = redactor.hints.held(texts_of(document))
        self._hints, self._suspects = held
        self._sieve: Sieve = redactor.sieve(held.hints)
        self.masked: list[Masked] = []
        self.kept: list[Masked] = []

    @property
    def finds_nothing(self) -> bool:
        """Whether no text of the document holds what any rule needs."""
        return not self._suspects and not self._redactor.is_thorough

    def value(self, value: Any, at: str, name: str, depth: int) -> Any:
        """Any value; `name` is that of a secret it lies below, or of its member, or empty."""
        if isinstance(value, str):
            return self._text(value, at, name)
        if isinstance(value, Mapping):
            return self._mapping(value, at, name, depth)
        if isinstance(value, list | tuple):
            return self._sequence(value, at, name, depth)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value, at, name)
        return value

    # --- texts -----------------------------------------------------------------------------------

    def _text(self, text: str, at: str, name: str) -> str:
        is_named = bool(name) and self._redactor.is_secret_name(name)
        if is_named and text and not is_plain(text) and not _is_version(text, at):
            if self._redactor.allowed(name, text):
                return text
            return self._note(text, Redacted(MASK, (self._finding(name),)), at)
        if text not in self._suspects and not self._redactor.is_thorough:
            return text
        if text[:1] in ("{", "[") and (inner := self._embedded(text, at)) is not None:
            return inner
        return self._note(text, self._redactor.mask_with(self._sieve, text), at)

    def _finding(self, name: str) -> Finding:
        return Finding(rule_of(name, is_json=not name.startswith("-")), name)

    def _note(self, before: str, after: Redacted, at: str) -> str:
        if after.text != before or self._again:
            self.masked += [Masked(at, rule, name) for rule, name in after.found]
        return after.text

    def _embedded(self, text: str, at: str) -> str | None:
        """The text of a JSON document; None: it is none."""
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            return None
        self._look_at(inner)
        kept = self.value(inner, at, "", 0)
        return (
            text if kept == inner else json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        )

    def _look_at(self, inner: object) -> None:
        """Take in what stands in a text, or in base64, and was not seen before it was read."""
        held = self._redactor.hints.held(texts_of(inner))
        self._suspects |= held.texts
        if not held.hints <= self._hints:
            self._hints |= held.hints
            self._sieve = self._redactor.sieve(self._hints)

    def _number(self, number: float, at: str, name: str) -> Any:
        if name and self._redactor.is_secret_name(name):
            return self._note("", Redacted(MASK, (self._finding(name),)), at)
        if str(number) in self._redactor.values:
            return self._note("", Redacted(MASK, (Finding("value", "redaction.values"),)), at)
        return number

    # --- containers ------------------------------------------------------------------------------

    def _mapping(self, mapping: Mapping[Any, Any], at: str, name: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise RecursionError("a document is nested too deeply to be looked through")
        inherited = name if name and self._redactor.is_secret_name(name) else ""
        if not inherited and depth and self._is_clean_below(mapping):
            return mapping
        if not inherited and self._is_clean(mapping):
            return self._containers_of(mapping, at, depth)
        told_name = next((mapping[n] for n in _NAMES if isinstance(mapping.get(n), str)), "")
        if told_name and not self._redactor.is_secret_name(told_name):
            told_name = ""
        aws = any_aws_id(mapping.values())
        result: dict[Any, Any] = {}
        for key, item in mapping.items():
            told = self._key(str(key), at) if isinstance(key, str) else key
            place = f"{at}/{_escaped(str(told))}"
            below = inherited or str(key)
            if told_name and key in _VALUES:
                below = told_name
            while told in result:
                told = f"{told}*"
            result[told] = self._member(str(key), item, place, below, depth, aws=aws)
        same = len(result) == len(mapping) and all(
            old is new and key in mapping
            for (key, new), old in zip(result.items(), mapping.values(), strict=True)
        )
        return mapping if same else result

    def _is_clean_below(self, value: Mapping[Any, Any] | Sequence[Any]) -> bool:
        """Whether no rule can find anything anywhere in it, as is so of nearly all."""
        return not self._redactor.is_thorough and self._suspects.isdisjoint(texts_of(value))

    def _is_clean(self, mapping: Mapping[Any, Any]) -> bool:
        """Whether no rule can find anything in its own keys and texts."""
        if self._redactor.is_thorough or "raw" in mapping:
            return False
        texts = (value for value in mapping.values() if isinstance(value, str))
        return self._suspects.isdisjoint(mapping) and self._suspects.isdisjoint(texts)

    def _containers_of(self, mapping: Mapping[Any, Any], at: str, depth: int) -> Any:
        """A clean mapping with what lies deeper looked through."""
        told = {
            key: self.value(item, f"{at}/{_escaped(str(key))}", "", depth + 1)
            if key not in _WITH_CARE
            else self._member(str(key), item, f"{at}/{_escaped(str(key))}", "", depth, aws=False)
            for key, item in mapping.items()
            if isinstance(item, Mapping | list | tuple)
        }
        if all(mapping[key] is item for key, item in told.items()):
            return mapping
        return {**mapping, **told}

    def _member(self, key: str, item: Any, place: str, name: str, depth: int, *, aws: bool) -> Any:
        if isinstance(item, str):
            if key in _IDENTITIES and _IDENTITY.fullmatch(item):
                return self._as_it_is(item, place)
            if key in _BITS and _BASE64.fullmatch(item):
                return item
            if key == "raw":
                return self._raw(item, place)
            if aws and is_aws_key(item):
                return self._note(item, Redacted(MASK, (Finding("aws_secret_key", key),)), place)
        elif key in _BOOKS and isinstance(item, Mapping):
            return {self._key(str(k), place): each for k, each in item.items()}
        elif key in _MEMBERS and isinstance(item, list | tuple):
            return self._members(item, place, depth)
        elif key == "raw" and isinstance(item, Mapping):
            return {k: self._raw(v, f"{place}/{_escaped(str(k))}") for k, v in item.items()}
        elif key in _IDENTITIES and isinstance(item, list | tuple):
            return type(item)(
                self._as_it_is(each, f"{place}/{number}")
                if isinstance(each, str) and _IDENTITY.fullmatch(each)
                else self.value(each, f"{place}/{number}", name, depth + 1)
                for number, each in enumerate(item)
            )
        return self.value(item, place, name, depth + 1)

    def _sequence(self, items: Sequence[Any], at: str, name: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise RecursionError("a document is nested too deeply to be looked through")
        is_secret = bool(name) and self._redactor.is_secret_name(name)
        if not is_secret and items and all(isinstance(item, str) for item in items):
            told: list[Any] = self._arguments(items, at)
        elif not is_secret and self._is_clean_below(items):
            return items
        else:
            told = [
                self.value(item, f"{at}/{number}", name, depth + 1)
                for number, item in enumerate(items)
            ]
        if all(old is new for old, new in zip(items, told, strict=True)):
            return items
        return type(items)(told) if isinstance(items, tuple) else told

    def _arguments(self, items: Sequence[str], at: str) -> list[str]:
        """Texts in a row: a command, lines of a key, a name and its value."""
        if self.finds_nothing:
            return list(items)
        told, of_row = self._redactor.mask_command(items, self._sieve)
        found: dict[int, list[Finding]] = {}
        for number, finding in of_row:
            found.setdefault(number, []).append(finding)
        for number, item in enumerate(items):
            place = f"{at}/{number}"
            if number not in found and item[:1] in ("{", "["):
                told[number] = self._text(item, place, "")
            else:
                self._note(item, Redacted(told[number], tuple(found.get(number, ()))), place)
        return [old if old == new else new for old, new in zip(items, told, strict=True)]

    def _key(self, key: str, at: str) -> str:
        """A key without secrets; most are too short to be one."""
        if len(key) <= _LONGEST_SHORT_KEY and not self._redactor.is_thorough:
            return key
        return self._note(key, self._redactor.mask_with(self._sieve, key), at)

    # --- what does not change --------------------------------------------------------------------

    def _as_it_is(self, text: str, at: str) -> str:
        """An identity: said when it is a secret all the same."""
        if self._redactor.is_thorough:
            found = self._redactor.mask_with((), text)
            if found.text != text and any(rule != "entropy" for rule, _ in found.found):
                self.kept += [Masked(at, rule, name) for rule, name in found.found]
        return text

    def _members(self, members: Sequence[Any], at: str, depth: int) -> Any:
        """Members of a dataset: their paths stay as they are, and what is found is said."""
        told = []
        for number, member in enumerate(members):
            place = f"{at}/{number}"
            if not isinstance(member, Mapping):
                told.append(self.value(member, place, "", depth + 1))
                continue
            for key in _MEMBER_PATHS & member.keys():
                path = member[key]
                if isinstance(path, str):
                    found = self._redactor.mask(_decoded(path) if key == "raw" else path)
                    self.kept += [Masked(f"{place}/{key}", *finding) for finding in found.found]
            rest = {key: item for key, item in member.items() if key not in _MEMBER_PATHS}
            after = self._mapping(rest, place, "", depth + 1)
            told.append(member if after is rest else {**member, **after})
        if all(old is new for old, new in zip(members, told, strict=True)):
            return members
        return told

    def _raw(self, value: Any, at: str) -> Any:
        """Exact bytes in base64, of a path or of the arguments of a command."""
        if isinstance(value, list | tuple):
            texts = [_decoded(item) if isinstance(item, str) else "" for item in value]
            told = self._arguments(texts, at)
            if told == texts:
                return value
            return [
                item if old == new else _encoded(new)
                for item, old, new in zip(value, texts, told, strict=True)
            ]
        if not isinstance(value, str):
            return value
        text = _decoded(value)
        told_text = self._text(text, at, "")
        return value if told_text == text else _encoded(told_text)


def _is_version(text: str, at: str) -> bool:
    """Whether this is the version of a package, whatever that is called."""
    return (
        _VERSION.fullmatch(text) is not None
        and _PACKAGE.search(at) is not None
        and _TOO_LONG_FOR_ONE.search(text) is None
        and len(re.findall(r"[a-z]+", text)) <= _MOST_WORDS_OF_ONE
    )


def _decoded(text: str) -> str:
    """The text that base64 says; what is no base64 says itself."""
    try:
        return os.fsdecode(b64decode(text, validate=True))
    except ValueError:
        return text


def _encoded(text: str) -> str:
    return b64encode(os.fsencode(text)).decode("ascii")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")

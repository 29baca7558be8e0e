"""What is typed of tags: `license=mit`, `contains_pii`; and which kinds there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from roar_core.config.layers import suggestion
from roar_core.errors import UsageError
from roar_core.store.tags import Tag

KINDS = ("license", "contains_pii", "jurisdiction", "classification", "special_category")


def known_kinds() -> tuple[str, ...]:
    """roar's kinds and those of the setting tags.custom_kinds."""
    from roar_core.cli.settings import current_config

    return (*KINDS, *current_config().get("tags.custom_kinds"))


def tags_of(words: Iterable[str], kinds: Iterable[str]) -> list[Tag]:
    """The tags that words say; `contains_pii` alone is `contains_pii=true`. Raises `UsageError`."""
    return [
        Tag(kind, value if value is not None else _implied(kind))
        for kind, value in patterns_of(words, kinds)
    ]


def patterns_of(words: Iterable[str], kinds: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """(kind, value) of each word; None where no value is given. Raises `UsageError`."""
    known = tuple(kinds)
    for word in words:
        kind, equals, value = word.partition("=")
        if kind not in known:
            raise UsageError(
                f"no kind of tags is called {kind!r}{suggestion(kind, known)}; there are"
                f" {', '.join(known)}; add your own with: roar config set tags.custom_kinds"
            )
        value = value.strip()
        if equals and not value:
            raise UsageError(f"{kind} needs a value, as in {kind}=VALUE")
        if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
            raise UsageError(f"the value of {kind} is not UTF-8, which tags are kept in")
        yield kind, value if equals else None


def actions(add: Iterable[str], block: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
    """What `--add-tag` and `--block-tag` tell a run: (action, kind, value)."""
    kinds = known_kinds()
    added = [("add", tag.kind, tag.value) for tag in tags_of(add, kinds)]
    return (*added, *(("block", kind, value or "") for kind, value in patterns_of(block, kinds)))


def _implied(kind: str) -> str:
    if kind != "contains_pii":
        raise UsageError(f"{kind} needs a value, as in {kind}=VALUE")
    return "true"

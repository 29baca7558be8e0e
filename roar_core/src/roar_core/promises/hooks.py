"""What roar relies on of the hooks that plugins of every kind may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from roar_core.config.layers import known_keys
from roar_core.hookspecs import ConfigSection
from roar_core.promises.promise import Complaint, promise, remark


@promise("its configuration sections are its own, with defaults that fit")
def sections_are_valid(sections: list[ConfigSection]) -> Iterator[Complaint]:
    _, problems = known_keys(sections)
    for problem in problems:
        yield Complaint(problem, "docs/hooks.md, ConfigSection, says which can be had")


@remark("each setting has a sentence of help")
def settings_are_explained(sections: list[ConfigSection]) -> Iterator[Complaint]:
    for section in sections:
        for key in section.keys:
            if not key.help.strip():
                yield Complaint(
                    f"{section.name}.{key.name} has no help", "`roar config list` shows one"
                )


@promise("its capabilities are booleans by name")
def capabilities_are_booleans(answers: list[Any]) -> Iterator[Complaint]:
    for answer in answers:
        if not isinstance(answer, Mapping):
            yield Complaint(f"roar_capabilities() returns {answer!r}", 'return {"name": True}')
            continue
        for name, value in answer.items():
            if not isinstance(name, str) or not isinstance(value, bool):
                yield Complaint(
                    f"its capability {name!r} is {value!r}", "give text as name, True or False"
                )


SECTION_PROMISES = (sections_are_valid, settings_are_explained)

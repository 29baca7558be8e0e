"""What a new plugin may be called, and every spelling its package needs of that name. Pure."""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import NamedTuple

from roar_core.errors import UsageError
from roar_core.scaffold.kinds import Kind

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_LONGEST = 40
# `run.tracer = "auto"` means the first that works, ROAR_DISABLE_PLUGINS=all every plugin.
_MEANINGFUL = frozenset({"all", "auto"})
_RULE = "a name is lower-case letters and digits, with single hyphens between words"


class PluginName(NamedTuple):
    """A checked name, `my-tool`, of a plugin of `kind`."""

    kind: Kind
    name: str

    @property
    def distribution(self) -> str:
        """`roar-analyzer-my-tool`, also what its folder is called."""
        return f"roar-{self.kind.prefix}-{self.name}"

    @property
    def module(self) -> str:
        """`roar_analyzer_my_tool`."""
        return self.distribution.replace("-", "_")

    @property
    def title(self) -> str:
        """`My Tool`."""
        return " ".join(word.capitalize() for word in self.name.split("-"))

    @property
    def spellings(self) -> dict[str, str]:
        """What stands for each `$word` of a template."""
        return {
            "name": self.name,
            "identifier": self.name.replace("-", "_"),
            "CONSTANT": self.name.replace("-", "_").upper(),
            "Class": self.title.replace(" ", ""),
            "title": self.title,
            "module": self.module,
            "distribution": self.distribution,
        }


def checked_name(kind: Kind, name: str) -> PluginName:
    """The name, or UsageError with one that would do."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(f"{name!r} is no name for a plugin: {_RULE}; {_proposal(name)}")
    if name in _MEANINGFUL:
        raise UsageError(f"{name!r} has a meaning of its own to roar; try {name}-{kind.prefix}")
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r} is a word of Python's own; try {name}-{kind.prefix}")
    return PluginName(kind, name)


def _proposal(name: str) -> str:
    """`try my-tool`, when something of the name can be kept."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    kept = "-".join(words)[:_LONGEST].strip("-").lstrip("0123456789-")
    return f"try {kept}" if _NAME.fullmatch(kept) else "try my-tool"

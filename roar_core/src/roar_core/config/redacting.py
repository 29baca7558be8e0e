"""The redactor that the settings ask for: everybody's rules, and what each layer adds to them.

Whoever can write a project's files may make roar mask more, but not less: what is no secret counts
only where the user says it himself, or trusts the project's files in this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from roar_core.config.layers import Config, Stated
from roar_core.redaction import Redactor
from roar_core.redaction.custom import Allowed, Rule, checked_value, compiled
from roar_core.redaction.redactor import with_values

_log = logging.getLogger(__name__)


def redactor_of(config: Config, warn: Callable[[str], None] = _log.warning) -> Redactor:
    """The redactor for whatever leaves from here; `warn` is told what of the settings is ignored.

    Raises ConfigError for a pattern that is none, takes too long or would mask everything.
    """
    return Redactor(
        values=with_values(
            [checked_value(value, at.origin) for at, value in _texts(config, "redaction.values")]
        ),
        names=frozenset(
            name.lower().lstrip("-").replace("-", "_")
            for _, name in _texts(config, "redaction.names")
            if name.strip("-")
        ),
        rules=tuple(_rules(config)),
        allowed=Allowed(tuple(_allowed(config, warn))),
        entropy=_entropy(config),
    )


def _texts(config: Config, name: str) -> Iterator[tuple[Stated, str]]:
    """Every text of a list, of all layers."""
    for stated in config.stated(name):
        for text in dict.fromkeys(stated.value):
            yield stated, text


def _rules(config: Config) -> Iterator[Rule]:
    """The rules of all layers: one of a name that another has does not take its place."""
    seen = set()
    for stated in config.stated("redaction.rules"):
        for name, pattern in stated.value.items():
            if (name, pattern) not in seen:
                seen.add((name, pattern))
                yield compiled(name, pattern, f"{stated.origin}: redaction.rules")


def _allowed(config: Config, warn: Callable[[str], None]) -> Iterator[Rule]:
    trusts = config.get("redaction.trust_project")
    for stated in config.stated("redaction.allow"):
        if not stated.is_own and not trusts:
            warn(
                f"{stated.origin}: redaction.allow does not count, since it comes with the project;"
                " to let it: roar config set --global redaction.trust_project true"
            )
            continue
        for pattern in stated.value:
            where = f"{stated.origin}: redaction.allow"
            yield compiled(pattern, pattern, where, may_fit_all=True)


def _entropy(config: Config) -> bool:
    """On when any layer says so, unless the user himself says no."""
    stated = config.stated("redaction.entropy")
    own = [at.value for at in stated if at.is_own]
    return bool(own[-1]) if own else any(at.value for at in stated)

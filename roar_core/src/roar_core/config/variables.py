"""Variables that are nearly one of roar's: who misspelt one believes that it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# Read by roar beside the settings.
_OWN = frozenset(
    {
        "ROAR_DEBUG",
        "ROAR_DISABLE_BROWSER_OPEN",
        "ROAR_DISABLE_PLUGINS",
        "ROAR_NO_TELEMETRY",
        "ROAR_SSH_KEY",
        "ROAR_TOKEN",
    }
)
# Given by a run to its processes, or of roar's own tests: nobody sets these by hand.
_INSIDE = frozenset({"ROAR_TRACE", "ROAR_TEST_EVERYTHING"})


def spelling_of(setting: str) -> str:
    """The variable that sets `setting`, which is named with dots."""
    return f"ROAR_{setting.replace('.', '__').upper()}"


def misspelt(
    names: Iterable[str], settings: Iterable[str], plugins_own: Iterable[str]
) -> Iterator[str]:
    """One sentence for each variable that is nearly one of roar's; others may be anybody's.

    `names` are the variables that are set and set no setting; `plugins_own` those that plugins read
    beside the settings.
    """
    own = _OWN.union(plugins_own)
    unknown = [name for name in sorted(names) if name not in own and name not in _INSIDE]
    if not unknown:
        return
    from difflib import get_close_matches

    spellings = {spelling_of(setting): setting for setting in settings}
    for name in unknown:
        # Without its section a setting is hardly to be recognised by likeness.
        same_key = [full for full in spellings if full.endswith(f"__{name.removeprefix('ROAR_')}")]
        close = get_close_matches(name, sorted(own.union(spellings)), n=1, cutoff=0.8) or same_key
        if len(close) == 1:
            yield f"{name} does nothing, did you mean {close[0]}?"

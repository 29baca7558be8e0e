"""What people registered, as text that shows what it holds and cannot play tricks on a page."""

from __future__ import annotations

import re
import time
from typing import Any

from markupsafe import Markup

# Controls, and the characters that turn the order of a line round or are not to be seen (Unicode
# TR 36, section 3.1; "Trojan Source"). A line feed and a tab are what they look like.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def plain(value: Any) -> Any:
    """A text with unseen characters written out as escapes; anything else as it is.

    Jinja calls this for everything a template prints, before it escapes it.
    """
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)


def moment(seconds: float) -> str:
    """A time as people read it: 2026-11-30 08:47:12 UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def machine_time(seconds: float) -> str:
    """The same for machines: 2026-11-30T08:47:12Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def duration(seconds: float) -> str:
    """How long something took, in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def size(number: int | None) -> str:
    """A number of bytes: 999 bytes, 12.3 MB."""
    if number is None:
        return "unknown"
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}" if unit else f"{number} bytes"


def last_part(path: str | None) -> str:
    """The file's name at the end of a path or URL; empty for no path."""
    return (path or "").rstrip("/").rpartition("/")[2] or (path or "")


# Programs whose first argument says more than they do.
_RUNNERS = re.compile(
    r"(python[\d.]*|pypy\d*|bash|sh|zsh|node|ruby|perl|Rscript|julia|torchrun|accelerate|uv|poetry)$"
)
_SCRIPT = re.compile(r"[^=]*[^./=]\.(py|sh|R|r|jl|rb|pl|js|mjs|ts|ipynb|smk)$")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
MOST_HEADING = 40
_MOST_LOOKED_AT = 30


def heading(command: str) -> str:
    """A command in a few words: `python train.py`, of `/usr/bin/python -u src/train.py --lr 1`."""
    told = [word for word in command[:2000].split() if not _ASSIGNMENT.match(word)]
    if not told:
        return "(no command)"
    words = [last_part(told[0].strip("'\""))]
    if _RUNNERS.match(words[0]):
        rest = [word.strip("'\"") for word in told[1:_MOST_LOOKED_AT]]
        script = next((word for word in rest if _SCRIPT.match(word)), None)
        module = rest[rest.index("-m") + 1 :][:1] if "-m" in rest else []
        plain_words = [word for word in rest if not word.startswith("-") and word != "run"]
        if script is not None:
            words.append(last_part(script))
        elif module:
            words += ["-m", *module]
        elif plain_words and "-c" not in rest:
            words.append(last_part(plain_words[0]))
        elif "-c" in rest:
            words.append("-c …")
    text = " ".join(filter(None, words))
    return text if len(text) <= MOST_HEADING else f"{text[: MOST_HEADING - 1]}…"

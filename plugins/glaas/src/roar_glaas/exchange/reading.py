"""The lines of an export, read and checked one by one, before anything is made of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from roar_glaas.errors import GlaasError
from roar_glaas.exchange.lines import FORMAT, TABLES, VERSION

_AT_ONCE = 2_000

Line = tuple[int, dict[str, Any]]


def batches(lines: Iterable[bytes]) -> Iterator[tuple[str, list[Line]]]:
    """(kind, lines) of an export: those of one kind that follow each other, two thousand at most.

    A line is its number, and the row or record in it.

    Raises GlaasError for what is no export of this version, and
    at its end when lines are missing.
    """
    for kind, group in itertools.groupby(_parsed(lines), key=lambda parsed: parsed[0]):
        while batch := [line for _, line in itertools.islice(group, _AT_ONCE)]:
            yield kind, batch


def _parsed(lines: Iterable[bytes]) -> Iterator[tuple[str, Line]]:
    """The rows and records, each with its kind; header and end are checked and left out."""
    number, has_ended = 0, False
    for number, text in enumerate(lines, 1):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise GlaasError(f"line {number} is no JSON: is this an export?") from error
        if has_ended or not isinstance(found, dict):
            raise GlaasError(f"line {number} is not a line of an export")
        kind = found.get("kind")
        if number == 1:
            _check_header(found)
        elif kind == "end":
            has_ended = True
            if found.get("lines") != number - 2:
                raise GlaasError(f"line {number}: lines are missing before it; export again")
        elif kind == "record":
            yield kind, (number, found)
        elif isinstance(kind, str) and kind in TABLES and isinstance(found.get("row"), dict):
            yield kind, (number, found["row"])
        else:
            raise GlaasError(f"line {number}: {str(kind)[:40]!r} is no kind of line")
    if not has_ended:
        raise GlaasError(f"the export breaks off after line {number}; export again")


def _check_header(found: dict[str, Any]) -> None:
    if (found.get("kind"), found.get("format")) != ("header", FORMAT):
        raise GlaasError("line 1 is no header of an export; make one with: glaas export")
    if found.get("version") != VERSION:
        raise GlaasError(
            f"the export has version {found.get('version')!r}, and this release reads version "
            f"{VERSION}; install another roar-glaas"
        )

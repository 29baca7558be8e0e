"""Two small files compared by what they say: `accuracy: 0.91 -> 0.93`, not by their bytes.

JSON and TOML by key, CSV and TSV by row and column, other text by line. Pure.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

# Beyond this nobody reads a comparison, and matching lines takes long.
COMPARED_BYTES_MAX = 256 << 10
_LINES_MAX = 2_000
_SHOWN_CHARACTERS = 200


class ValueChange(NamedTuple):
    """A value at a place (`metrics.accuracy`, `row 3 lr`, `line 7`) that differs; None: absent."""

    where: str
    before: str | None
    after: str | None


def compare_contents(name: str, before: bytes, after: bytes) -> list[ValueChange] | None:
    """What differs between two versions; None when they are too large or no text.

    `name` tells the format by its suffix; what cannot be read as that is compared as text.
    """
    if max(len(before), len(after)) > COMPARED_BYTES_MAX:
        return None
    try:
        old, new = before.decode("utf-8-sig"), after.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if "\0" in old or "\0" in new:
        return None
    suffix = name.rpartition(".")[2].lower()
    compare = {"json": _json, "toml": _toml, "csv": _csv, "tsv": _tsv}.get(suffix)
    try:
        if compare is not None:
            return list(compare(old, new))
    except (ValueError, RecursionError, csv.Error):
        compare = None  # not what its name says: it is still text
    lines = _text(old, new)
    return None if lines is None else list(lines)


def _json(old: str, new: str) -> Iterator[ValueChange]:
    return _compare_trees(json.loads(old), json.loads(new))


def _toml(old: str, new: str) -> Iterator[ValueChange]:
    import tomllib

    return _compare_trees(tomllib.loads(old), tomllib.loads(new))


def _compare_trees(old: Any, new: Any) -> Iterator[ValueChange]:
    before, after = dict(_leaves(old)), dict(_leaves(new))
    for where in dict.fromkeys((*before, *after)):
        had, has = where in before, where in after
        if had and has and _is_same(before[where], after[where]):
            continue
        yield ValueChange(
            where or "value",
            _shown(before[where]) if had else None,
            _shown(after[where]) if has else None,
        )


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """(place, value) of everything that holds nothing further; without recursion."""
    stack: list[tuple[str, Any]] = [("", tree)]
    while stack:
        where, value = stack.pop()
        if isinstance(value, Mapping) and value:
            stack.extend(
                (f"{where}.{key}" if where else str(key), value[key]) for key in reversed(value)
            )
        elif isinstance(value, list) and value:
            stack.extend((f"{where}[{n}]", value[n]) for n in reversed(range(len(value))))
        else:
            yield where, value


def _is_same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new):
        return True
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


def _shown(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _csv(old: str, new: str) -> Iterator[ValueChange]:
    return _compare_tables(old, new, ",")


def _tsv(old: str, new: str) -> Iterator[ValueChange]:
    return _compare_tables(old, new, "\t")


def _compare_tables(old: str, new: str, delimiter: str) -> Iterator[ValueChange]:
    before, after = _rows(old, delimiter), _rows(new, delimiter)
    if not before or not after:
        raise ValueError("an empty table")
    if len(before[0]) != len(set(before[0])) or len(after[0]) != len(set(after[0])):
        raise ValueError("columns of one name")
    if len(before) != len(after):
        yield ValueChange("rows", str(len(before) - 1), str(len(after) - 1))
    for name in dict.fromkeys((*before[0], *after[0])):
        if name not in after[0]:
            yield ValueChange(f"column {name}", "present", None)
        elif name not in before[0]:
            yield ValueChange(f"column {name}", None, "present")
    old_rows, new_rows = _keyed(before, after)
    is_single = len(before) == len(after) == 2
    for key, row in old_rows.items():
        other = new_rows.get(key)
        if other is None:
            continue
        for name, value in row.items():
            if name in other and other[name] != value:
                where = name if is_single else f"{key} {name}"
                yield ValueChange(where, _cut(value), _cut(other[name]))
    for key in old_rows.keys() - new_rows.keys() if _has_keys(before, after) else ():
        yield ValueChange(key, "present", None)
    for key in new_rows.keys() - old_rows.keys() if _has_keys(before, after) else ():
        yield ValueChange(key, None, "present")


def _rows(text: str, delimiter: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if row]


def _keyed(
    before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """The rows of both tables by the name in their first column, else by their number."""
    by_name = _has_keys(before, after)

    def keyed(rows: Sequence[Sequence[str]]) -> dict[str, dict[str, str]]:
        return {
            row[0] if by_name else f"row {number}": dict(zip(rows[0], row, strict=False))
            for number, row in enumerate(rows[1:], start=1)
        }

    return keyed(before), keyed(after)


def _has_keys(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> bool:
    if before[0][0] != after[0][0] or len(before[0]) < 2:
        return False
    for rows in (before, after):
        names = [row[0] for row in rows[1:]]
        if len(set(names)) != len(names) or any(_is_number(name) for name in names):
            return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(old: str, new: str) -> Iterator[ValueChange] | None:
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > _LINES_MAX:
        return None
    return _compare_lines(before, after)


def _compare_lines(before: list[str], after: list[str]) -> Iterator[ValueChange]:
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            continue
        for offset in range(max(i2 - i1, j2 - j1)):
            old = before[i1 + offset] if i1 + offset < i2 else None
            new = after[j1 + offset] if j1 + offset < j2 else None
            number = (i1 if old is not None else j1) + offset + 1
            yield ValueChange(
                f"line {number}",
                None if old is None else _cut(old.strip()),
                None if new is None else _cut(new.strip()),
            )


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"

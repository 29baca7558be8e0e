"""Read a lineage graph back: a JSON document of any layout, one job or artifact at a time.

The text is held once and parsed member by member, so that the memory of an import is the file's
and that of one job, and never that of all the objects in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

from roar_core.errors import NotFoundError, RoarError
from roar_core.export.incoming import IncomingArtifact, IncomingJob, IncomingSession

if TYPE_CHECKING:
    from cattrs import Converter

# What SQLite can hold.
_MOST = 2**63
_SPACE = " \t\n\r"
_decode = json.JSONDecoder().raw_decode
T = TypeVar("T")


class Part(NamedTuple):
    """A member of the document, or one item of a member that is an array."""

    name: str
    value: Any
    is_item: bool


class GraphFile:
    """The document of a file. Whatever is wrong with it is a RoarError that says where."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._reader = Reader(name)
        self.sessions: dict[str, IncomingSession] = {}
        self.uids: list[str] = []
        self.edges = 0
        self.artifacts_count = 0
        self._check()

    @classmethod
    def read(cls, file: IO[bytes], name: str) -> GraphFile:
        """Read and check what is there but for the jobs' and artifacts' own fields."""
        try:
            return cls(file.read().decode("utf-8-sig"), name)
        except UnicodeDecodeError as error:
            raise RoarError(f"{name} is no lineage graph: it is not UTF-8") from error
        except OSError as error:
            raise RoarError(f"{name} cannot be read: {error.strerror}") from error

    @classmethod
    def open(cls, path: str) -> GraphFile:
        """Read the file at `path`. Raises NotFoundError when there is none."""
        try:
            with Path(path).open("rb") as file:
                return cls.read(file, repr(path))
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no file {path!r}") from error
        except OSError as error:
            raise RoarError(f"{path!r} cannot be read: {error.strerror}") from error

    def artifacts(self) -> Iterator[IncomingArtifact]:
        """Every artifact, in the order of the file."""
        return self._items("artifacts", IncomingArtifact)

    def jobs(self) -> Iterator[IncomingJob]:
        """Every job, in the order of the file."""
        return self._items("jobs", IncomingJob)

    def _items(self, member: str, cls: type[T]) -> Iterator[T]:
        number = 0
        for part in self._parts():
            if part.name == member and part.is_item:
                yield self._reader.value(part.value, cls, f"{member}[{number}]")
                number += 1

    def _check(self) -> None:
        fields: dict[str, Any] = {}
        for part in self._parts():
            if not part.is_item:
                fields[part.name] = part.value
            elif part.name == "sessions":
                session = self._reader.value(part.value, IncomingSession, "a session")
                self.sessions[session.id] = session
            elif part.name == "artifacts":
                self.artifacts_count += 1
            elif part.name == "jobs" and isinstance(part.value, Mapping):
                self.uids.append(str(part.value.get("uid")))
                self.edges += sum(len(part.value.get(side) or ()) for side in ("inputs", "outputs"))
        if fields.get("type") != "graph":
            kind = fields.get("type")
            what = f"a document of type {kind!r}" if isinstance(kind, str) else "something else"
            raise RoarError(
                f"{self._name} is no lineage graph but {what}; one comes from: roar export"
            )
        if fields.get("schema") != 1:
            raise RoarError(
                f"{self._name} has schema {fields.get('schema')!r}, this roar knows 1; "
                "upgrade roar-core"
            )

    def _parts(self) -> Iterator[Part]:
        try:
            yield from _parts(self._text)
        except (ValueError, IndexError) as error:
            raise RoarError(f"{self._name} is no JSON: {error}") from error
        except RecursionError as error:
            raise RoarError(f"{self._name} is no lineage graph: it is nested too deeply") from error


class Reader:
    """Takes typed values out of JSON that somebody else wrote; `name` is what it is called."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._converter = _converter()

    def value(self, told: Any, cls: type[T], where: str) -> T:
        """The value at `where`, checked. Raises RoarError saying what is wrong with it."""
        from cattrs import transform_error
        from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError

        try:
            return self._converter.structure(told, cls)
        except (
            BaseValidationError,
            StructureHandlerNotFoundError,
            TypeError,
            ValueError,
        ) as error:
            where_and_why = transform_error(error, format_exception=_reason)[0]
            raise RoarError(
                f"{self._name} is no lineage graph: {where}: {where_and_why}"
            ) from error


def _reason(error: BaseException, expected: type | None) -> str:
    from cattrs.v import format_exception

    # Ours say what is wrong; the library's own say which field is missing.
    return str(error) if type(error) is ValueError else format_exception(error, expected)


def _parts(text: str) -> Iterator[Part]:
    """The members of the object that `text` is. Raises ValueError where it is none."""
    place = _expect(text, _skip(text, 0), "{")
    place = _skip(text, place)
    while text[place : place + 1] != "}":
        name, place = _decode(text, place)
        if not isinstance(name, str):
            raise ValueError(f"a name is expected at character {place}")
        place = _skip(text, _expect(text, _skip(text, place), ":"))
        if text[place : place + 1] == "[":
            place = _skip(text, place + 1)
            while text[place : place + 1] != "]":
                value, place = _decode(text, place)
                yield Part(name, value, True)
                place = _next(text, place, "]")
            place += 1
        else:
            value, place = _decode(text, place)
            yield Part(name, value, False)
        place = _next(text, place, "}")
    if text[_skip(text, place + 1) :]:
        raise ValueError(f"something follows the document at character {place + 1}")


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] and text[place] in _SPACE:
        place += 1
    return place


def _expect(text: str, place: int, character: str) -> int:
    if text[place : place + 1] != character:
        raise ValueError(f"{character!r} is expected at character {place}")
    return place + 1


def _next(text: str, place: int, closing: str) -> int:
    """The start of the next member, or of `closing`."""
    place = _skip(text, place)
    if text[place : place + 1] == closing:
        return place
    place = _skip(text, _expect(text, place, ","))
    if text[place : place + 1] == closing:
        raise ValueError(f"a value is expected at character {place}")
    return place


def _converter() -> Converter:
    """One that takes nothing for what it is not: 5 is no text, and "5" no number."""
    from cattrs import Converter

    def exactly(*types: type) -> Callable[[Any, Any], Any]:
        def check(value: Any, _: Any) -> Any:
            if type(value) not in types:
                raise ValueError(f"{type(value).__name__} where {types[0].__name__} is expected")
            if isinstance(value, str) and not value.isascii():
                value.encode("utf-8")  # JSON can say halves of a character, which are no text
            if isinstance(value, int | float) and not -_MOST <= value < _MOST:
                raise ValueError(f"{value} is out of range")
            return value

        return check

    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(str, exactly(str))
    converter.register_structure_hook(int, exactly(int))
    converter.register_structure_hook(bool, exactly(bool))
    converter.register_structure_hook(float, exactly(float, int))
    converter.register_structure_hook(Mapping, lambda value, _: exactly(dict)(value, _))
    return converter

"""What the databases search by beside columns: file names, and the words of commands.

Both are kept by the database itself, so that whoever inserts a row need not think of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from roar_glaas.errors import BadRequest

# PostgreSQL indexes no text beyond 2,704 bytes; names of files end at 255 in any case.
MOST_OF_NAME = 255
# Nor does it take more than a megabyte of words: of commands 100,000 characters count, on both.
_MOST_WORDS = 20
# A word is a run of letters and digits on both: PostgreSQL alone would take "a.py" for a host.
_WORDS = (
    "to_tsvector('simple', regexp_replace(left(command, 100000), "
    "'[^a-zA-Z0-9\u0080-\U0010ffff]+', ' ', 'g'))"
)


class file_name(GenericFunction[str]):
    """The part of a path behind its last slash, its first 255 characters."""

    type = sa.Text()
    inherit_cache = True


@compiles(file_name, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **kwargs: Any) -> str:
    path = compiler.process(element.clauses, **kwargs)
    # What is left of a path without its trailing characters other than "/" is its directory.
    folder = f"rtrim({path}, replace({path}, '/', ''))"
    return f"substr(replace({path}, {folder}, ''), 1, {MOST_OF_NAME})"


@compiles(file_name, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **kwargs: Any) -> str:
    path = compiler.process(element.clauses, **kwargs)
    return f"left(substring({path} from '[^/]*$'), {MOST_OF_NAME})"


def command_index(dialect: str) -> Iterator[str]:
    """The statements that have `sqlite` or `postgresql` index the commands of all jobs to come."""
    if dialect != "sqlite":
        yield f"CREATE INDEX ix_job_words ON job USING gin (({_WORDS}))"
        return
    yield (
        "CREATE VIRTUAL TABLE job_words USING fts5(command, content='', columnsize=0, "
        "tokenize='unicode61 remove_diacritics 0')"
    )
    yield (
        "CREATE TRIGGER job_words_insert AFTER INSERT ON job BEGIN "
        "INSERT INTO job_words(rowid, command) "
        "VALUES (new.id, substr(new.command, 1, 100000)); END"
    )
    # A command that is withheld is not to be found by its words any more.
    yield (
        "CREATE TRIGGER job_words_withhold AFTER UPDATE OF command ON job BEGIN "
        "INSERT INTO job_words(job_words, rowid, command) "
        "VALUES ('delete', old.id, substr(old.command, 1, 100000)); END"
    )


def words_in(text: str, where: str) -> list[str]:
    """The words that somebody looks for, `*` at the end of those that are only beginnings.

    Raises BadRequest when there is none, or more than anybody types.
    """
    words = re.findall(r"[^\W_]+\*?", text)
    if "\0" in text or not 1 <= len(words) <= _MOST_WORDS or max(map(len, words)) > MOST_OF_NAME:
        raise BadRequest(f"{where} must hold 1 to {_MOST_WORDS} words of letters and digits")
    return words


def with_words(
    query: sa.Select[Any], job_id: sa.ColumnElement[int], words: list[str], dialect: str
) -> tuple[sa.Select[Any], sa.ColumnElement[int]]:
    """`query` over jobs, limited to those in whose command every word occurs; and their id.

    The id is that of the index, which gives jobs in its order; ordered by another, all are sorted.
    """
    if dialect == "sqlite":
        found = sa.table("job_words", sa.column("rowid"))
        wanted = " ".join(f'"{word.rstrip("*")}"{"*" * word.endswith("*")}' for word in words)
        match = sa.text("job_words MATCH :words").bindparams(words=wanted)
        rowid: sa.ColumnElement[int] = found.c.rowid
        return query.join(found, rowid == job_id).where(match), rowid
    wanted = " & ".join(f"'{word.rstrip('*')}'{':*' * word.endswith('*')}" for word in words)
    document: sa.ColumnElement[Any] = sa.literal_column(_WORDS.replace("command", "job.command"))
    has_words = document.op("@@")(sa.func.to_tsquery(sa.text("'simple'"), wanted))
    return query.where(has_words), job_id

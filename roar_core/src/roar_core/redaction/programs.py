"""Programs whose short flags have a password: `mysql -psecret`, `sshpass -p secret`."""

from __future__ import annotations

import re

from roar_core.redaction.contexts import Tell
from roar_core.redaction.patterns import Pattern

# Flag, and whether its value may be an argument of its own (of mysql it may not: -p alone asks).
_FLAG_OF = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb"), ("-p", False)),
    **dict.fromkeys(("mariadb-dump", "mariadb-admin", "7z", "7za"), ("-p", False)),
    **dict.fromkeys(("sshpass", "mongo", "mongosh", "mongodump", "mongorestore"), ("-p", True)),
    **dict.fromkeys(("unzip", "zip"), ("-P", True)),
    "redis-cli": ("-a", True),
    "ldapsearch": ("-w", True),
    "sqlcmd": ("-P", True),
}
HINTS = (
    *("mysql", "mariadb", "7z", "sshpass", "mongo", "zip", "redis-cli"),
    *("ldapsearch", "sqlcmd"),
)
_IN_TEXT = Pattern(
    r"(?P<before>(?<![\w./-])(?:[\w./-]{0,200}/)?(?P<program>"
    + "|".join(map(re.escape, sorted(_FLAG_OF, key=len, reverse=True)))
    + r")\s[^|;&\n]{0,200}?)(?P<flag>(?<=\s)-[paPw])(?P<gap>\s?)"
    r"(?P<value>'[^']*'|\"[^\"]*\"|[^\s'\"]+)",
    re.ASCII,
)


def named(argument: str) -> str:
    """The program of the table that an argument names, by any path; empty: none."""
    name = argument.rpartition("/")[2]
    return name if name in _FLAG_OF else ""


def flag_of(program: str) -> str:
    """The flag whose value is a password."""
    return _FLAG_OF[program][0]


def secret_in(program: str, before: str, argument: str) -> str | None:
    """The part of an argument, its end, that is the program's password; None: it is none."""
    flag, may_stand_apart = _FLAG_OF[program]
    if argument.startswith(flag) and len(argument) > len(flag):
        return argument[len(flag) :]
    is_value = before == flag and may_stand_apart and not argument.startswith("-")
    return argument if is_value and argument else None


def in_text(text: str, tell: Tell) -> str:
    """A line for a shell without the passwords of these programs."""

    def replaced(match: re.Match[str]) -> str:
        flag, may_stand_apart = _FLAG_OF[match["program"]]
        value = match["value"]
        if match["flag"] != flag or (match["gap"] and not may_stand_apart):
            return match[0]
        told = tell("generic_password_arg", flag, value)
        return f"{match['before']}{flag}{match['gap']}{told}"

    return _IN_TEXT.compiled.sub(replaced, text)

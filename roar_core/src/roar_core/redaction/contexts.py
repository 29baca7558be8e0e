"""Secrets that what stands around them gives away: logins in URLs, headers, flags of logins.

Each function takes a text and a `Found` to tell what it masks, and returns the text without. What
is masked already is found again, so that a document that is exported again says the same.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable

from roar_core.redaction.patterns import Pattern

MASK = "***"

# Told of a secret: its rule, its name, and its text. Returns what stands in its place: MASK, or
# the text itself, when somebody allows it.
Tell = Callable[[str, str, str], str]

_FLAGS = re.IGNORECASE | re.ASCII

# --- logins in URLs ------------------------------------------------------------------------------

# Up to the last @ before the host: passwords hold @, too. What follows a port is none.
_USERINFO = Pattern(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,31})://"
    r"(?:(?P<user>[^\s/?#'\":\\]{0,256}))"
    r"(?P<rest>:(?!\d{1,5}(?:[/?#\s]|$))[^\s/'\"]{0,1024})?@",
    _FLAGS,
)
# Unescaped slashes stand in passwords of databases.
_USERINFO_WITH_SLASH = Pattern(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,31})://(?P<user>[^\s/?#'\":@\\]{0,256})"
    r"(?P<rest>:(?!\d{1,5}(?:[/?#\s]|$))[^\s'\"]{1,256})@(?=[\w.\[-]{1,255}(?:[:/?,]|\b))",
    _FLAGS,
)
_WEB = Pattern(r"(?:https?|git|ssh|git\+\w+|ftps?|sftp)")
_DATABASE = Pattern(
    r"(?:jdbc|odbc|postgres|pg|mysql|maria|mongo|redis|valkey|mssql|sqlserver|oracle|cockroach"
    r"|clickhouse|snowflake|redshift|trino|presto|hive|cassandra|scylla|neo4j|bolt|couch|influx"
    r"|elastic|opensearch|amqp|rabbit|kafka|nats|mqtt|memcached|libsql|duckdb|db2|vertica|teradata"
    r"|databricks|starrocks|doris|bigquery|firebird|sybase|ldap)"
)
_SCP = Pattern(
    r"(?<![\w/@:.-])(?P<user>[\w.-]{1,64}):(?P<value>[^\s/@:'\"]{1,256})"
    r"(?=@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}[:/])",
    _FLAGS,
)
_ORACLE = Pattern(r"(jdbc:oracle:\w{1,8}:[^\s/@]{1,64}/)(?P<value>[^\s@]{1,256})(?=@)", _FLAGS)


def urls(text: str, tell: Tell) -> str:
    """Passwords of any URL, and users alone of those where a token stands in their place."""

    def userinfo(match: re.Match[str]) -> str:
        scheme, user, rest = match["scheme"].lower(), match["user"], match["rest"]
        is_web = _WEB.compiled.fullmatch(scheme) is not None
        if rest is None:
            if scheme not in ("http", "https") or not user:
                return match[0]
            return f"{match['scheme']}://{tell('git_url_userinfo', 'login in a URL', user)}@"
        is_database = _DATABASE.compiled.match(scheme) is not None
        rule = "git_url_creds" if is_web else "database_url" if is_database else "url_creds"
        told = tell(rule, "login in a URL", rest[1:])
        return f"{match['scheme']}://{user}:{told}@"

    def scp(match: re.Match[str]) -> str:
        return f"{match['user']}:{tell('git_url_creds', 'login', match['value'])}"

    def oracle(match: re.Match[str]) -> str:
        return match[1] + tell("database_url", "login in a URL", match["value"])

    def with_slash(match: re.Match[str]) -> str:
        is_database = _DATABASE.compiled.match(match["scheme"].lower()) is not None
        return userinfo(match) if is_database and "/" in match["rest"] else match[0]

    if "@" not in text:
        return text
    if "://" in text:
        text = _USERINFO.compiled.sub(userinfo, text)
        text = _USERINFO_WITH_SLASH.compiled.sub(with_slash, text)
    if ":" in text:
        text = _SCP.compiled.sub(scp, text)
        text = _ORACLE.compiled.sub(oracle, text)
    return text


# --- headers -------------------------------------------------------------------------------------

_BARE = Pattern(r"\b(?P<kind>Bearer|Basic)(?P<gap>\s{1,8})(?P<value>\*\*\*|[\w.~+/=-]{6,})", _FLAGS)
_AUTHORIZATION = Pattern(
    r"(?P<before>\b(?P<name>(?:proxy-)?authorization)\\?[\"']?\]?\s{0,8}(?:[:=]|%3d)\s{0,8}\\?[\"']?"
    r"(?:(?P<kind>[a-z][\w-]{0,30})[ ]{1,8})?)"
    r"(?P<value>\*\*\*|(?<=digest )[^\n]{1,8192}|[^\s'\"\\]{1,8192})",
    _FLAGS,
)


_COOKIE = Pattern(
    r"(?P<before>\b(?P<name>(?:set-)?cookie)\s{0,8}:\s{0,8})(?P<value>[^\s'\"][^'\"\n]{0,8191})",
    _FLAGS,
)


def headers(text: str, tell: Tell) -> str:
    """Credentials of `Authorization` headers, and `Bearer` and `Basic` ones by themselves."""

    def authorization(match: re.Match[str]) -> str:
        kind = (match["kind"] or match["name"]).capitalize()
        return match["before"] + tell("bearer_token", kind, match["value"])

    def bare(match: re.Match[str]) -> str:
        kind, value = match["kind"], match["value"]
        if value != MASK and not _is_credential(kind.lower(), value):
            return match[0]
        return f"{kind}{match['gap']}{tell('bearer_token', kind.capitalize(), value)}"

    def cookie(match: re.Match[str]) -> str:
        return match["before"] + tell("cookie", match["name"], match["value"])

    text = _COOKIE.compiled.sub(cookie, text)
    text = _AUTHORIZATION.compiled.sub(authorization, text)
    return _BARE.compiled.sub(bare, text)


def _is_credential(kind: str, value: str) -> bool:
    """Whether it is more than a word of prose: `basic training`, `bearer certificates`."""
    if kind == "bearer":
        return not value.isalpha() or len(value) >= 20
    try:
        return b":" in b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


# --- logins of programs ---------------------------------------------------------------------------

_LOGIN = Pattern(
    r"(?P<flag>(?<![\w-])(?:-u|-U|--user|--proxy-user)(?:\s{1,16}|=)['\"]?)"
    r"(?P<user>[^\s:'\"]{1,256}):(?P<value>\"[^\"]*\"|'[^']*'|[^\s&;|,'\"]+)",
    re.ASCII,
)
_PWD = Pattern(r"(?P<before>;\s{0,8}pwd\s{0,8}=\s{0,8})(?P<value>[^\s;'\"]+)", _FLAGS)
_NETRC = Pattern(
    r"(?P<before>\bmachine\s{1,8}\S{1,256}\s{1,8}login\s{1,8}\S{1,256}\s{1,8}password\s{1,8})"
    r"(?P<value>[^\s'\"]{1,1024})",
    _FLAGS,
)


def logins(text: str, tell: Tell) -> str:
    """`curl -u user:password`, `;pwd=…` of connection strings, and lines of .netrc."""

    def login(match: re.Match[str]) -> str:
        if is_numbers(match["user"], match["value"]):
            return match[0]
        told = tell("generic_password_arg", match["flag"].strip(" ='\""), match["value"])
        return f"{match['flag']}{match['user']}:{told}"

    def after(match: re.Match[str]) -> str:
        return match["before"] + tell("generic_password_arg", "password", match["value"])

    text = _LOGIN.compiled.sub(login, text)
    if ";" in text:
        text = _PWD.compiled.sub(after, text)
    return _NETRC.compiled.sub(after, text) if "machine" in text.lower() else text


def is_numbers(user: str, value: str) -> bool:
    """Whether it is the user and group of a container: `-u 1000:1000`."""
    return user.isdecimal() and value.isdecimal()

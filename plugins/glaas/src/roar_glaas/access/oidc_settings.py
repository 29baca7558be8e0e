"""The table `[oidc]` of glaas.toml: the provider that people may sign in with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from roar_glaas.errors import GlaasError

SECRET_VARIABLE = "GLAAS_OIDC_CLIENT_SECRET"  # noqa: S105 - the name of a variable


@attrs.frozen(kw_only=True)
class OidcSettings:
    """An OpenID Connect provider, and whom of those it knows are let in.

    `client_secret` is read from the variable GLAAS_OIDC_CLIENT_SECRET, or from the file named by
    `client_secret_file`; empty: a public client. Without `create_accounts` only those come in whose
    verified mail address an account has; with it everybody does whose address is verified, and in
    one of `email_domains` when there are any.
    """

    issuer: str
    client_id: str
    client_secret: str = attrs.field(default="", repr=False)
    name: str = "single sign-on"
    email_domains: tuple[str, ...] = ()
    create_accounts: bool = False


_TYPES: dict[str, type] = {
    "issuer": str,
    "client_id": str,
    "client_secret_file": str,
    "name": str,
    "email_domains": list,
    "create_accounts": bool,
}


def read_oidc(stated: object, environ: Mapping[str, str], source: str) -> OidcSettings:
    """The settings of the table. Raises GlaasError naming the key and what it must be."""
    if not isinstance(stated, dict):
        raise GlaasError(f"{source}: oidc must be a table, [oidc]")
    for key, value in stated.items():
        if key not in _TYPES:
            known = ", ".join(_TYPES)
            hint = f"; give it in {SECRET_VARIABLE}" if key == "client_secret" else ""
            raise GlaasError(f"{source}: oidc.{key} is none of {known}{hint}")
        if type(value) is not _TYPES[key]:
            raise GlaasError(f"{source}: oidc.{key} must be of type {_TYPES[key].__name__}")
    for key in ("issuer", "client_id"):
        if not stated.get(key):
            raise GlaasError(f"{source}: oidc.{key} is missing")
    values: dict[str, Any] = {k: v for k, v in stated.items() if k != "client_secret_file"}
    values["issuer"] = _issuer(stated["issuer"], source)
    values["email_domains"] = tuple(_domain(one, source) for one in stated.get("email_domains", ()))
    values["client_secret"] = _secret(stated.get("client_secret_file"), environ, source)
    return OidcSettings(**values)


def _issuer(text: str, source: str) -> str:
    parts = urlsplit(text)
    is_local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    schemes = ("https", "http") if is_local else ("https",)
    if not parts.netloc or parts.scheme not in schemes:
        raise GlaasError(f"{source}: oidc.issuer must start with https://, not {text!r}")
    return text


def _domain(value: object, source: str) -> str:
    if not isinstance(value, str) or not value or "@" in value:
        raise GlaasError(f"{source}: oidc.email_domains lists domains: ['example.org']")
    return value.lower()


def _secret(file: str | None, environ: Mapping[str, str], source: str) -> str:
    if SECRET_VARIABLE in environ:
        return environ[SECRET_VARIABLE].strip()
    if file is None:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GlaasError(f"{source}: oidc.client_secret_file {file} cannot be read") from error

"""`roar whoami` and `roar auth`: who one is at the registry, and by what it knows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from roar_core.cli import output
from roar_core.cli.registry.login import login, logout
from roar_core.cli.registry.reaching import json_option, reach, registry_config, url_option
from roar_core.errors import NotFoundError, UnauthorisedError

if TYPE_CHECKING:
    from roar_core.config.layers import Config
    from roar_core.registry.connection import Connection
    from roar_core.registry.credentials import User
    from roar_core.registry.ssh import SshKey


@click.command()
@url_option
@json_option
def whoami(url: str | None, as_json: bool) -> int:
    """Say who you are at the registry, without asking it; exit 1 when you are nobody there.

    Example: roar whoami --json | jq -r .user.name
    """
    from roar_core.cli.registry.account_view import account_document, credential_words, nobody

    with reach(registry_config(), url=url) as connection:
        caller = connection.caller
        if as_json:
            output.data(account_document(connection, None if caller is None else caller.user))
        elif caller is None:
            nobody(connection.url)
        else:
            who = caller.user.words or "somebody: roar auth status asks who"
            output.line(output.printable(f"{who} at {connection.url} ({credential_words(caller)})"))
    return 0 if caller is not None else 1


@click.group()
def auth() -> None:
    """By what the registry knows you: a log-in, a token or an SSH key.

    Example: roar auth status
    """


auth.add_command(login)
auth.add_command(logout)


@auth.command(short_help="Ask the registry whether it accepts you.")
@url_option
@json_option
def status(url: str | None, as_json: bool) -> int:
    """Ask the registry whether it accepts your credential; exit 1 when it does not.

    Example: roar auth status --url https://registry.example.org
    """
    from roar_core.cli.registry.account_view import account_document, credential_words, nobody

    config = registry_config()
    origin = config.origin("registry.url")
    with reach(config, url=url) as connection:
        caller = connection.caller
        if caller is None:
            connection.get("health")
            if as_json:
                output.data(account_document(connection, None))
            else:
                nobody(connection.url)
            return 1
        user, reason = _asked(connection)
        if as_json:
            output.data(account_document(connection, user, user is not None, reason))
        else:
            output.table(
                [
                    ("registry", f"{connection.url} ({'--url' if url else origin})"),
                    ("credential", credential_words(caller)),
                    ("accepted", "yes" if user is not None else "no"),
                    *([("user", user.words)] if user is not None else []),
                ]
            )
            if reason:
                output.warn(reason)
            _others(connection.url)
    return 0 if user is not None else 1


def _asked(connection: Connection) -> tuple[User | None, str]:
    """Who the registry says that one is, or why it says nobody."""
    from roar_core.registry.accounts import account_of, keep_key
    from roar_core.registry.callers import KeyCaller

    try:
        user = account_of(connection).user
    except UnauthorisedError as error:
        return None, str(error)
    if isinstance(connection.caller, KeyCaller):
        keep_key(connection.caller, connection.url, user)
    return user, ""


def _others(url: str) -> None:
    from roar_core.registry.credentials import CredentialFile

    others = [other for other in CredentialFile.of(os.environ).urls() if other != url]
    if others:
        output.tell(f"known at other registries too: {', '.join(others)}")


@auth.command(short_help="Show the SSH key that signs.")
@click.option("--allow", is_flag=True, help="Let the key sign for this registry.")
@url_option
@json_option
def key(allow: bool, url: str | None, as_json: bool) -> None:
    """Show the SSH key that signs your requests, and where to have it added.

    It is that of ROAR_SSH_KEY, of the setting registry.ssh_key, or the first of id_ed25519, id_rsa
    and id_ecdsa in ~/.ssh. A registry that only a file of the project names gets no signature until
    you --allow it: what is signed does not say for which registry it is.

    Example: roar auth key --json | jq -r .public | ssh registry.example.org …
    """
    from roar_core.cli.documents import document, text
    from roar_core.registry import ssh
    from roar_core.registry.address import address_of

    config = registry_config()
    address = address_of(config, os.environ, url)
    found = ssh.find_key(config, os.environ)
    if found is None:
        raise NotFoundError(
            "there is no SSH key in ~/.ssh; make one: ssh-keygen -t ed25519, or name yours:"
            " roar config set --global registry.ssh_key FILE"
        )
    problem = _cannot_sign(found)
    if allow:
        _allow(config, address.url, found)
    if as_json:
        told = {"path": text(str(found.path)), "fingerprint": found.fingerprint}
        told |= {"public": found.public, "registry": address.url}
        output.data(document("ssh_key", **told, can_sign=not problem, reason=text(problem) or None))
        return
    output.table([("key", str(found.path)), ("fingerprint", found.fingerprint)])
    output.line(found.public)
    if problem:
        output.warn(problem)
    output.tell(
        f"have this line added to your account at {address.url}; of glaas serve on its page"
        " /account, or by who runs it: glaas user key add NAME FILE.pub"
    )


def _cannot_sign(key: SshKey) -> str:
    """Why nothing can be signed with a key; empty when it can."""
    from roar_core.errors import ConfigError
    from roar_core.registry import ssh

    try:
        ssh.signature(key, b"0\nGET\n/", os.environ)
    except ConfigError as error:
        return str(error)
    return ""


def _allow(config: Config, url: str, key: SshKey) -> None:
    from roar_core.registry.accounts import keep_key
    from roar_core.registry.callers import KeyCaller
    from roar_core.registry.credentials import NOBODY

    keep_key(KeyCaller(key, os.environ), url, NOBODY, allow=True)
    output.tell(f"your SSH keys sign for {url} from now on")

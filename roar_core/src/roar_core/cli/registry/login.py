"""`roar login` and `roar logout`: become known at a registry, and stop being so."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roar_core.cli import output
from roar_core.cli.registry.reaching import json_option, reach, registry_config, url_option
from roar_core.errors import RegistryError, RoarError, UnauthorisedError

if TYPE_CHECKING:
    from roar_core.registry.address import Address
    from roar_core.registry.callers import Caller
    from roar_core.registry.connection import Connection
    from roar_core.registry.credentials import CredentialFile, Login

_MOST_BYTES = 1 << 20


@click.command(short_help="Sign in at the registry.")
@click.option(
    "--token-file",
    metavar="FILE",
    help="Take the token of FILE, its JSON or the token alone; - reads standard input.",
)
@click.option("--force", is_flag=True, help="Sign in anew, whoever is signed in.")
@url_option
@json_option
def login(token_file: str | None, force: bool, url: str | None, as_json: bool) -> None:
    """Sign in at the registry: in a browser, by a code that this command shows.

    Nothing is typed here but the code there, so that it works over SSH and in containers. Programs
    need no log-in: they find a token in ROAR_TOKEN.

    Examples: roar login · roar login --url https://registry.example.org · roar login --token-file -
    """
    from roar_core.cli.registry.account_view import account_document
    from roar_core.registry.address import address_of
    from roar_core.registry.callers import TOKEN_VARIABLE, LoginCaller
    from roar_core.registry.credentials import CredentialFile

    config = registry_config()
    address = address_of(config, os.environ, url)
    file = CredentialFile.of(os.environ)
    before = file.record(address.url, time.time()).login
    if before is not None and not force:
        _refuse_if_alive(address, LoginCaller(before, file))
    with file.changing(address.url, time.time()):
        pass  # whoever has approved shall not learn only then that nothing can be kept
    if token_file is not None:
        found = _from_file(token_file)
    else:
        with reach(config, anonymous=True, url=address.url) as connection:
            found = _by_code(connection, as_json)
    found = _with_user(address, found)
    if before is not None and not before.is_foreign:
        _end(address, LoginCaller(before, file))  # before the new one takes its place in the file
    _keep(file, address.url, found)
    with _as(address, LoginCaller(found, file)) as connection:
        if as_json:
            output.data(account_document(connection, found.user, accepted=True))
        else:
            output.tell(f"signed in at {address.url} as {found.user.words}")
    if os.environ.get(TOKEN_VARIABLE):
        output.warn(f"{TOKEN_VARIABLE} is set and goes before this log-in")


@click.command()
@url_option
@json_option
def logout(url: str | None, as_json: bool) -> None:
    """Sign out at the registry, there and here.

    Example: roar logout --url https://registry.example.org
    """
    from roar_core.cli.documents import document
    from roar_core.registry.address import address_of
    from roar_core.registry.callers import LoginCaller
    from roar_core.registry.credentials import CredentialFile

    address = address_of(registry_config(), os.environ, url)
    file = CredentialFile.of(os.environ)
    before = file.record(address.url, time.time()).login
    if before is not None and before.is_foreign:
        raise RoarError(
            f"the log-in at {address.url} is another client's, at the top of {file.path}; sign out"
            " with that client"
        )
    is_over = before is not None and _end(address, LoginCaller(before, file))
    if before is not None:
        _keep(file, address.url, None)
    if as_json:
        told = {"registry": address.url, "signed_out": before is not None, "ended_there": is_over}
        output.data(document("logout", **told))
    elif before is None:
        output.note(f"nobody was signed in at {address.url}")
    else:
        output.note(f"signed out at {address.url}")


def _refuse_if_alive(address: Address, caller: Caller) -> None:
    """Raise RoarError when somebody is signed in already, unless they agree to sign in anew."""
    from roar_core.registry.accounts import account_of

    try:
        with _as(address, caller) as connection:
            name = account_of(connection).user.words
    except UnauthorisedError:
        return
    told = f"you are signed in at {address.url} already, as {name}"
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    if is_terminal and click.confirm(output.printable(f"{told}; sign in anew?"), err=True):
        return
    raise RoarError(f"{told}; to sign in anew: roar login --force")


def _by_code(connection: Connection, as_json: bool) -> Login:
    from roar_core.cli.documents import document, text, timestamp
    from roar_core.registry import device

    code = device.start(connection)
    if as_json:
        lasts_s = code.ends_at_s - time.monotonic()
        ends_at = timestamp(int((time.time() + lasts_s) * 1e9))
        told = {"registry": connection.url, "user_code": text(code.user_code)}
        told |= {"address": text(code.address), "page": text(code.page), "expires_at": ends_at}
        output.data(document("login_code", **told))
        output.finish()  # whoever reads it approves it
    output.tell(f"open {code.address} and enter this code: {code.user_code}")
    if _open_browser(code.page):
        output.note("a browser was asked to open it; waiting until you have")
    else:
        output.note("waiting until you have; Ctrl-C gives up")
    return device.await_approval(connection, code)


def _open_browser(page: str) -> bool:
    """Whether a browser was asked to open a page: only where there is a screen for one."""
    from roar_core.telemetry.endpoint import endpoint_problem

    environ = os.environ
    has_screen = sys.platform == "darwin" or any(
        environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not has_screen or environ.get("ROAR_DISABLE_BROWSER_OPEN") or endpoint_problem(page):
        return False
    import subprocess

    # On its own, so that what a browser says and how long it lives do not concern this command;
    # without the variables that hold secrets.
    kept = {name: value for name, value in environ.items() if name != "ROAR_TOKEN"}
    nothing = subprocess.DEVNULL
    command = (sys.executable, "-I", "-m", "webbrowser", page)  # not the working directory's
    subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=nothing, env=kept, start_new_session=True
    )
    return True


def _from_file(name: str) -> Login:
    """The log-in in a file: a JSON object with `access_token`, or nothing but a token."""
    import json

    from roar_core.registry.credentials import Login

    what = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = b"" if sys.stdin is None else sys.stdin.buffer.read(_MOST_BYTES)
        else:
            with Path(name).open("rb") as stream:
                content = stream.read(_MOST_BYTES)
        stated = content.decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RoarError(f"--token-file {what}: cannot be read: {reason}") from error
    try:
        told = json.loads(stated)
    except (ValueError, RecursionError):
        told = {"access_token": stated}
    found = Login.from_document(told, time.time()) if isinstance(told, dict) else None
    if found is None:
        raise RoarError(
            f"--token-file {what} holds no token: give a JSON object with access_token, or the"
            " token alone"
        )
    return found


def _with_user(address: Address, found: Login) -> Login:
    """The log-in with whose it is, as the registry says. Raises UnauthorisedError."""
    import attrs

    from roar_core.registry.accounts import account_of
    from roar_core.registry.callers import TokenCaller

    caller = TokenCaller(
        found.access_token, name="the token", remedy="this token is not good there; get another"
    )
    with _as(address, caller) as connection:
        return attrs.evolve(found, user=account_of(connection).user)


def _keep(file: CredentialFile, url: str, found: Login | None) -> None:
    import attrs

    with file.changing(url, time.time()) as change:
        change.keep(attrs.evolve(change.record, login=found))


def _end(address: Address, caller: Caller) -> bool:
    """Whether the registry has ended a log-in; when it cannot be told so, the user is."""
    try:
        with _as(address, caller) as connection:
            connection.post("auth/logout")
    except UnauthorisedError:
        return False  # it had ended already
    except RegistryError as error:
        output.warn(f"the log-in is gone here, but stays good there until it expires: {error}")
        return False
    return True


def _as(address: Address, caller: Caller) -> Connection:
    from roar_core.registry.connection import Connection

    return Connection(address, caller, warn=output.warn)

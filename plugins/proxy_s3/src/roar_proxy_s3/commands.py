"""`roar proxy`: whether runs get one, where it would lead, and one by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import click

from roar_core.errors import RoarError

_SETTING = "s3.proxy"


@click.group()
def proxy() -> None:
    """Record the objects of S3 that commands read and write.

    Once enabled, every `roar run` that could use S3 gets a proxy of its own, on this machine only,
    for as long as the command runs.

    Example: roar proxy enable
    """


@proxy.command()
@click.option("--global", "everywhere", is_flag=True, help="For all your projects.")
def enable(everywhere: bool) -> None:
    """Give runs a proxy from now on, in this checkout.

    Example: roar proxy enable
    """
    _set("true", everywhere)


@proxy.command()
@click.option("--global", "everywhere", is_flag=True, help="For all your projects.")
def disable(everywhere: bool) -> None:
    """Have commands talk to their stores directly again.

    Example: roar proxy disable
    """
    _set("false", everywhere)


@proxy.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def status(as_json: bool) -> None:
    """Say whether runs get a proxy, where it would lead, and what is started by hand.

    Example: roar proxy status
    """
    from roar_proxy_s3.standing import standing

    found: dict[str, Any] = {
        "schema": 1,
        "type": "proxy",
        "enabled": _is_enabled(),
        **_leads(),
        "started": standing(),
    }
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo("enabled" if found["enabled"] else "disabled; enable it with: roar proxy enable")
    if found["endpoint"]:
        click.echo(f"leads to     {found['endpoint']}")
        click.echo(f"region       {found['region']}")
        click.echo(f"credentials  {found['credentials'] or 'none were found'}")
    if found["problem"]:
        click.echo(f"but          {found['problem']}")
    if started := found["started"]:
        click.echo(f"by hand      {started['url']}, which {started['facts']} operations passed")


@proxy.command()
def start() -> None:
    """Start a proxy by hand, to try a program with it; what passes is in no record.

    It prints the variables that lead there, for a shell.

    Example: eval "$(roar proxy start)"
    """
    from roar_proxy_s3.runs.leading import variables
    from roar_proxy_s3.standing import start_standing

    for name, value in variables(start_standing(os.environ), os.environ).items():
        click.echo(f"export {name}={value}")


@proxy.command()
def stop() -> int:
    """Stop the proxy that was started by hand, after the last byte of what is under way.

    Example: roar proxy stop
    """
    from roar_proxy_s3.standing import stop_standing

    if stop_standing():
        return 0
    click.echo("no proxy was started by hand", err=True)
    return 1


def _leads() -> dict[str, Any]:
    """Where the user's own tools would go from here; no credential is among it."""
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

    from roar_proxy_s3.runs.resolving import reason_against, resolved

    try:
        found = resolved()
    except BotoCoreError as error:
        problem = f"{type(error).__name__}: {error}"
        return {"endpoint": None, "region": None, "credentials": None, "problem": problem}
    return {
        "endpoint": found.endpoint,
        "region": found.region,
        "credentials": found.method,
        "problem": reason_against(found) or None,
    }


def _is_enabled() -> bool:
    told = _roar("config", "get", _SETTING, "--json", captured=True)
    return bool(json.loads(told)["value"])


def _set(value: str, everywhere: bool) -> None:
    _roar("config", "set", _SETTING, value, *(["--global"] if everywhere else []))


def _roar(*arguments: str, captured: bool = False) -> str:
    """Ask roar, whose settings are its own; its sentences are the user's to read."""
    # -P: a project may have a json.py of its own, or a folder called roar_core.
    command = [sys.executable, "-P", "-m", "roar_core", *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE if captured else None, text=True, check=False
    )
    if done.returncode and captured:
        raise RoarError(f"roar {' '.join(arguments)} failed; see the line above")
    if done.returncode:
        raise click.exceptions.Exit(done.returncode)
    return done.stdout or ""

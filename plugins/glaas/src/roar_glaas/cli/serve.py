"""`glaas serve`: the registry over HTTP until it is told to stop."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import attrs
import click

from roar_glaas.errors import GlaasError
from roar_glaas.settings import read_settings


def default_data(environ: dict[str, str]) -> Path:
    """Where a registry keeps its data when nobody says: below $XDG_DATA_HOME."""
    home = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "glaas"


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 unless told.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 8000 unless told, 0: any.")
@click.option("--data", type=click.Path(path_type=Path), envvar="GLAAS_DATA", help="Directory.")
@click.option("--database", metavar="URL", help="postgresql://USER@HOST/NAME in place of SQLite.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Text on a terminal.")
def serve(
    host: str | None,
    port: int | None,
    data: Path | None,
    database: str | None,
    log_format: str | None,
) -> None:
    """Serve the registry; Ctrl-C stops it after the requests in hand."""
    import uvicorn

    from roar_glaas.app import guarded_app
    from roar_glaas.serving.connections import uvicorn_settings
    from roar_glaas.serving.logs import set_up_logs

    environ = dict(os.environ)
    flags = {"host": host, "port": port, "database": database, "log_format": log_format}
    settings = read_settings(data or default_data(environ), environ, flags)
    set_up_logs(settings.log_format)
    listener = _listen(settings.host, settings.port)
    # Port 0 asked for any: links must name the one it became.
    settings = attrs.evolve(settings, port=listener.getsockname()[1])
    app = guarded_app(settings)
    click.echo(f"glaas: serving {settings.data} at {settings.url}", err=True)
    if not settings.takes_anonymous:
        click.echo("glaas: it takes no registrations: anonymous_registration is off", err=True)
    server = uvicorn.Server(uvicorn_settings(app, settings))
    server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise GlaasError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
        ) from error

"""`glaas serve`: the registry over HTTP until it is told to stop."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs
import click

from roar_glaas.cli.options import settings_of
from roar_glaas.cli.processes import share
from roar_glaas.errors import GlaasError
from roar_glaas.serving.hosts import listens_everywhere
from roar_glaas.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 unless told.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 8000 unless told, 0: any.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="GLAAS_DATA",
    help="Directory of the registry; $GLAAS_DATA, else ~/.local/share/glaas.",
)
@click.option("--database", metavar="URL", help="postgresql://USER@HOST/NAME in place of SQLite.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Processes; 1 unless told.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="Text on a terminal, else JSON."
)
def serve(
    host: str | None,
    port: int | None,
    data: Path | None,
    database: str | None,
    workers: int,
    log_format: str | None,
) -> None:
    """Serve the registry; Ctrl-C stops it after the requests in hand.

    The directory and the database are made when they are not there. More settings stand in
    glaas.toml of the directory.

    \b
    Examples:
      glaas serve                                   for this machine, at http://127.0.0.1:8000
      glaas serve --data /srv/glaas --port 9000
      glaas serve --database postgresql://glaas@db/glaas --workers 4
    """
    from roar_glaas.serving.logs import set_up_logs

    settings = settings_of(data, database, host=host, port=port, log_format=log_format)
    set_up_logs(settings.log_format)
    listener = _listen(settings.host, settings.port)
    # Port 0 asked for any: links must name the one it became.
    settings = attrs.evolve(settings, port=listener.getsockname()[1])
    announcement = f"glaas: serving {settings.data} at {settings.url}"
    if not settings.takes_anonymous:
        announcement += "\nglaas: registering takes an account: anonymous_registration is off"
    if listens_everywhere(settings.host) and not settings.public_url:
        announcement += "\nglaas: set public_url to what people reach it by: links start with it"
    if workers > 1:
        from roar_glaas.serving.metrics import figures_of_all

        with figures_of_all():
            share(workers, lambda ready: _answer(settings, listener, ready), announcement)
    else:
        _answer(settings, listener, lambda: click.echo(announcement, err=True))


def _answer(settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer until a signal; `ready` is called when the database is open."""
    from concurrent.futures import ThreadPoolExecutor

    import uvicorn
    from litestar.concurrency import set_asyncio_executor

    from roar_glaas.app import guarded_app
    from roar_glaas.serving.connections import uvicorn_settings
    from roar_glaas.storage.database import REQUESTS_AT_ONCE

    # Of its own it takes a handful: who waits to write would then keep readers waiting too.
    set_asyncio_executor(ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="request"))
    app = guarded_app(settings)
    # What is there by now stays. Looking through it for garbage, as happens after some answers of
    # thousands of objects, kept every request waiting for 50 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    ready()
    # It has finished what was in hand when it raises the signal once more: Ctrl-C is no failure.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn_settings(app, settings)).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise GlaasError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
        ) from error
    # Connections inherit it. asyncio sets it only where the socket names its protocol, and without
    # it the second request of a connection waits 40 ms for the first answer's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener

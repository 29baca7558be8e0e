"""Figures for Prometheus: requests, durations, errors of the database, the size of things.

Of several processes that share PROMETHEUS_MULTIPROC_DIR any one tells the figures of all of them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get

from roar_glaas.errors import Forbidden
from roar_glaas.log.proofs import log_size
from roar_glaas.serving.noted import noted_of
from roar_glaas.serving.peers import Networks
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import registration

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
# Budgets are of milliseconds, bodies of minutes.
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)


@contextmanager
def figures_of_all() -> Iterator[None]:
    """Have the processes started in here count together: in files, gone when this process ends."""
    own = os.getpid()
    folder = tempfile.mkdtemp(prefix="glaas-figures-")
    os.environ[MULTIPROCESS] = folder
    try:
        yield
    finally:
        if os.getpid() == own:  # those that were started leave by here too
            shutil.rmtree(folder)


class Metrics:
    """The figures of one process. Routes are told by their templates: there are as many as routes.

    Each server has its own registry, and the library's own figures of the process stay out.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.readers = Networks.parse(settings.metrics_from, "metrics_from")
        self._database = database
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "glaas_requests",
            "Requests answered; status 499: the client left before.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "glaas_request_duration_seconds",
            "From a request's head to the end of its answer.",
            ["method", "route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._database_errors = Counter(
            "glaas_database_errors",
            "Statements that failed because the database was away, full or busy.",
            registry=self._registry,
        )
        sa.event.listen(database.engine, "handle_error", self._count_error)

    def answered(self, method: str, route: str, status: int, taken_s: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(taken_s)

    def text(self) -> bytes:
        """Everything in Prometheus' text format 0.0.4."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if MULTIPROCESS in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        kept = CollectorRegistry()
        kept.register(_Kept(self._database))
        return generate_latest(registry) + generate_latest(kept)

    def _count_error(self, context: Any) -> None:
        if isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
            self._database_errors.inc()


class _Kept:
    """What is asked of the database when somebody wants to know; nothing while it is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        is_up, opened, size = 1, 0, 0
        try:
            with self._database.read() as connection:
                count = sa.select(sa.func.count()).where(registration.c.state == "open")
                opened = connection.execute(count).scalar_one()
                size = log_size(connection)
        except sa.exc.OperationalError:
            is_up = 0
        yield GaugeMetricFamily("glaas_database_up", "Whether the database answers.", is_up)
        if is_up:
            yield GaugeMetricFamily("glaas_open_registrations", "Begun, not finalised.", opened)
            yield GaugeMetricFamily("glaas_log_size", "Records in the log.", size)


@get("/metrics", sync_to_thread=True, include_in_schema=False)
def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """For the addresses of the setting `metrics_from` alone, and never through a proxy."""
    noted = noted_of(request.scope)
    figures: Metrics = request.app.state.metrics
    if noted is None or noted.peer.is_relayed or noted.peer.address not in figures.readers:
        raise Forbidden("the figures are for the addresses of the setting metrics_from alone")
    return Response(figures.text(), headers={"Content-Type": _FORMAT})

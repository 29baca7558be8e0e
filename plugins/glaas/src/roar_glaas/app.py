"""The server as an ASGI application: routes, what handlers are given, how errors are told."""

from __future__ import annotations

import sqlalchemy as sa
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from roar_glaas import __version__
from roar_glaas.access.asking import who_asks
from roar_glaas.api import refusals
from roar_glaas.api.accounts import account_routes
from roar_glaas.api.bodies import StrictRequest
from roar_glaas.api.device import device_routes
from roar_glaas.api.export import export_routes
from roar_glaas.api.finding import finding_routes
from roar_glaas.api.fragments import fragment_routes
from roar_glaas.api.graph import graph_routes
from roar_glaas.api.health import health, ready
from roar_glaas.api.known_jobs import known_jobs
from roar_glaas.api.labels import label_routes
from roar_glaas.api.legacy import legacy_routes
from roar_glaas.api.log import log_routes
from roar_glaas.api.reading import reading_routes
from roar_glaas.api.registration import registration_routes
from roar_glaas.api.telemetry import telemetry
from roar_glaas.api.whole import whole_routes
from roar_glaas.api.widening import publish_session
from roar_glaas.errors import Refusal
from roar_glaas.opening import open_registry
from roar_glaas.pages.account.routes import account_page_routes
from roar_glaas.pages.addresses import no_such_address
from roar_glaas.pages.browser import knows_reader
from roar_glaas.pages.routes import page_routes
from roar_glaas.serving.gate import Gate
from roar_glaas.serving.metrics import Metrics, metrics
from roar_glaas.serving.noted import admit
from roar_glaas.serving.rates import Rates
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database


def guarded_app(settings: Settings) -> Gate:
    """What is served: the application behind the checks that every request passes."""
    return Gate(create_app(settings), settings)


def create_app(settings: Settings) -> Litestar:
    """The application over a data directory, whose database and key are made if they are not there.

    Handlers may ask for `settings`, `database` and the `caller`. Raises GlaasError.
    """
    database = open_registry(settings)
    rates = Rates(settings)

    def give_settings() -> Settings:
        return settings

    def give_database() -> Database:
        return database

    return Litestar(
        route_handlers=[
            health,
            ready,
            account_routes,
            device_routes,
            registration_routes,
            reading_routes,
            label_routes,
            fragment_routes,
            telemetry,
            metrics,
            log_routes,
            export_routes,
            graph_routes,
            finding_routes,
            whole_routes,
            known_jobs,
            publish_session,
            Router(
                path="/",
                route_handlers=[page_routes, account_page_routes],
                middleware=[knows_reader(settings, database)],
            ),
            *legacy_routes,
        ],
        dependencies={
            "settings": Provide(give_settings, sync_to_thread=False),
            "database": Provide(give_database, sync_to_thread=False),
            "known": Provide(who_asks),
            "caller": Provide(admit, sync_to_thread=False),
        },
        exception_handlers={
            Refusal: refusals.refusal,
            HTTPException: no_such_address,
            sa.exc.OperationalError: refusals.database_error,
            sa.exc.TimeoutError: refusals.database_error,
            RecursionError: refusals.too_deep,
            Exception: refusals.failure,
        },
        # The description alone: the framework's pages about it would load scripts from elsewhere.
        openapi_config=OpenAPIConfig(
            title="GLaaS",
            version=__version__,
            path="/schema",
            render_plugins=[JsonRenderPlugin()],
            use_handler_docstrings=True,
        ),
        request_class=StrictRequest,
        request_max_body_size=settings.max_body_bytes,
        state=State({"metrics": Metrics(settings, database), "rates": rates}),
        logging_config=None,  # the command sets up what is logged, and where
        on_shutdown=[database.dispose],
        debug=False,
    )

"""Real registries, of which `roar` is a client here: those of the server's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machines import roar_commands
from plugins.glaas.tests.conftest import asked_often as asked_often
from plugins.glaas.tests.conftest import database_url as database_url
from plugins.glaas.tests.conftest import elsewhere as elsewhere
from plugins.glaas.tests.conftest import forking_glaas as forking_glaas
from plugins.glaas.tests.conftest import postgresql as postgresql
from plugins.glaas.tests.conftest import registry as registry
from plugins.glaas.tests.conftest import serve as serve
from plugins.glaas.tests.conftest import shared as shared
from plugins.glaas.tests.conftest import stock_client as stock_client

from roar_core.testing.forking import Forking


@pytest.fixture(scope="session", autouse=True)
def forking_roar() -> Iterator[Forking]:
    """Begun before any test, each of which must leave no descriptor behind."""
    yield roar_commands()
    roar_commands().close()

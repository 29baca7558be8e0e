"""What a plugin author tests with: pytest fixtures, and kits that prove a plugin's promises."""

import pytest

# A failing promise shows what was promised and what was found.
pytest.register_assert_rewrite(
    "roar_core.testing.analyzer",
    "roar_core.testing.backend",
    "roar_core.testing.projects",
    "roar_core.testing.storage_proxy",
    "roar_core.testing.tracer",
)

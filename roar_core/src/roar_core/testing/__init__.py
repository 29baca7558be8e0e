"""What a plugin author tests with: pytest fixtures, and kits that prove a plugin's promises."""

import pytest

# A failing promise shows what was promised and what was found.
for _module in (
    *("analyzer", "backend", "composite", "exporter", "projects", "storage_proxy", "tracer"),
    *("processes", "transfer"),
):
    pytest.register_assert_rewrite(f"roar_core.testing.{_module}")

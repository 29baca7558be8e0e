"""roar's fixtures for plugin authors: `project` runs real roar commands."""

pytest_plugins = ["roar_core.testing.fixtures"]

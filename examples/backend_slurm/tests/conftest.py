"""roar's fixtures: `project` runs real roar commands."""

pytest_plugins = ["roar_core.testing.fixtures"]

"""GLaaS: an append-only registry of lineage, from any hash back to what made it and forward."""

from importlib.metadata import version

__version__ = version("roar-glaas")

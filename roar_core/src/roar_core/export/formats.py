"""The formats roar writes by itself, offered through entry points like a stranger's."""

from __future__ import annotations

from roar_core.export.cyclonedx import CycloneDx
from roar_core.export.dot import Dot
from roar_core.export.json_graph import JsonGraph
from roar_core.export.mermaid import Mermaid
from roar_core.export.openlineage import OpenLineage
from roar_core.export.prov import Prov
from roar_core.export.ro_crate import RoCrate
from roar_core.export.slsa import Slsa
from roar_core.hookspecs import Exporter, hookimpl


@hookimpl
def roar_exporters() -> list[Exporter]:
    """Offer the built-in formats."""
    return [JsonGraph(), OpenLineage(), Prov(), RoCrate(), Slsa(), CycloneDx(), Mermaid(), Dot()]

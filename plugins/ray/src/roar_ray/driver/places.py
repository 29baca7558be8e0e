"""What things are called in the folder that roar gives for a run, and how documents get there.

The driver's side writes them and roar's reads them (`roar_ray.report` tells what each is): both by
these names.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PYTHON, JOURNALS, NODES = "python", "journals", "nodes"
DRIVERS, SUBMISSIONS = "drivers", "submissions"
# Of each that a driver has made, a folder like the run's own.
CLUSTERS = "clusters"
# What is carried to a cluster's nodes, by the name that a Python runs first.
PACKAGE = "sitecustomize"
KNOWN, FAULTS, SWEPT = "known.jsonl", "faults.jsonl", "swept.digests"


def write_whole(path: str, document: Mapping[str, Any]) -> None:
    """Write a document that is there whole, or as it was before; its folder is made if need be."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as target:
        json.dump(document, target)
    os.replace(f"{path}.new", path)

"""The layouts roar knows by itself, offered through entry points like a stranger's.

Markers and members are those of GLaaS v1 for the first six, so that a dataset has one name in all
tools; sources of the others: Apache Hive (partitions), Hugging Face safetensors (index), PyTorch
(distributed checkpoints).
"""

from __future__ import annotations

import re

from roar_core.hookspecs import CompositeFormat, Folder, hookimpl

_PARTITION = re.compile(r"[^=/]+=[^/]*")
# What a columnar table is made of; text files count only under the names that Hive and Spark give.
_TABLE = re.compile(
    r"[^_.][^/]*\.(?:parquet|orc|avro|arrow|feather)"
    r"|part-[^/]*\.(?:csv|tsv|json|jsonl|txt)(?:\.(?:gz|bz2|zst|snappy|lz4))?"
)
_WEIGHTS = re.compile(r"(?P<model>[^/]+)-\d{5}-of-\d{5}\.(?P<kind>safetensors|bin)")
_WEIGHTS_INDEX = re.compile(r"[^/]+\.(?:safetensors|bin)\.index\.json")

MARKER = ".roar-composite"


class Marked:
    """A folder that the user calls a dataset, by an empty file `.roar-composite` in it."""

    name = "marked"
    priority = 0
    is_flat = False

    def is_root(self, folder: Folder) -> bool:
        return folder.has(MARKER)

    def in_identity(self, relative: str) -> bool:
        return relative != MARKER


class LeRobot:
    """Robot episodes: `meta/info.json` beside chunks of data."""

    name = "lerobot"
    priority = 10
    is_flat = False

    def is_root(self, folder: Folder) -> bool:
        return folder.has("meta/info.json") and any(
            name.startswith("chunk-") for name in folder.names("data")
        )

    def in_identity(self, relative: str) -> bool:
        return relative.startswith(("meta/", "data/", "videos/"))


class Zarr:
    """Arrays in chunks, and groups of them, of versions 2 and 3."""

    name = "zarr"
    priority = 20
    is_flat = False

    def is_root(self, folder: Folder) -> bool:
        return any(map(folder.has, ("zarr.json", ".zgroup", ".zarray")))

    def in_identity(self, relative: str) -> bool:
        return True


class Lance:
    """A Lance table: its versions beside its data."""

    name = "lance"
    priority = 30
    is_flat = False

    def is_root(self, folder: Folder) -> bool:
        return folder.has("_versions") and (folder.name.endswith(".lance") or folder.has("data"))

    def in_identity(self, relative: str) -> bool:
        return True


class Rlds:
    """A dataset that TensorFlow Datasets has prepared, RLDS among them."""

    name = "rlds"
    priority = 40
    is_flat = False

    def is_root(self, folder: Folder) -> bool:
        return folder.has("dataset_info.json") and folder.has("features.json")

    def in_identity(self, relative: str) -> bool:
        return True


class WebDataset:
    """Samples in archives: a folder of nothing but tar files, of which the run touched several."""

    name = "webdataset"
    priority = 50
    is_flat = True

    def is_root(self, folder: Folder) -> bool:
        from roar_core.identity import in_identity

        return _several(folder.touched, ".tar") and all(
            name.endswith(".tar") for name in folder.names() if in_identity(name)
        )

    def in_identity(self, relative: str) -> bool:
        return relative.endswith(".tar")


class ParquetShards:
    """A table in several parquet files of one folder, of which the run touched more than one."""

    name = "parquet-shards"
    priority = 60
    is_flat = True

    def is_root(self, folder: Folder) -> bool:
        return _several(folder.touched, ".parquet")

    def in_identity(self, relative: str) -> bool:
        return relative.endswith(".parquet")


class HivePartitions:
    """A table in folders named `column=value`."""

    name = "hive-partitions"
    priority = 70
    is_flat = False

    def is_root(self, folder: Folder) -> bool:
        return any(map(_PARTITION.fullmatch, folder.leads_to)) and not _PARTITION.fullmatch(
            folder.name
        )

    def in_identity(self, relative: str) -> bool:
        *folders, name = relative.split("/")
        return (
            bool(folders)
            and all(map(_PARTITION.fullmatch, folders))
            and _TABLE.fullmatch(name) is not None
        )


class ShardedWeights:
    """A model's weights in numbered files and the index that says which tensor is where."""

    name = "sharded-weights"
    priority = 80
    is_flat = True

    def is_root(self, folder: Folder) -> bool:
        indexes = {
            f"{shard['model']}.{shard['kind']}.index.json"
            for shard in map(_WEIGHTS.fullmatch, folder.touched)
            if shard
        }
        return any(map(folder.has, indexes))

    def in_identity(self, relative: str) -> bool:
        return bool(_WEIGHTS.fullmatch(relative) or _WEIGHTS_INDEX.fullmatch(relative))


class TorchCheckpoint:
    """A distributed checkpoint of PyTorch: `.metadata`, and what each rank wrote."""

    name = "torch-checkpoint"
    priority = 90
    is_flat = True

    def is_root(self, folder: Folder) -> bool:
        return any(name.endswith(".distcp") for name in folder.touched) and folder.has(".metadata")

    def in_identity(self, relative: str) -> bool:
        return relative == ".metadata" or relative.endswith(".distcp")


@hookimpl
def roar_composite_formats() -> list[CompositeFormat]:
    """Offer the built-in layouts."""
    return [
        Marked(),
        LeRobot(),
        Zarr(),
        Lance(),
        Rlds(),
        WebDataset(),
        ParquetShards(),
        HivePartitions(),
        ShardedWeights(),
        TorchCheckpoint(),
    ]


def _several(names: frozenset[str], suffix: str) -> bool:
    return sum(name.endswith(suffix) for name in names) > 1

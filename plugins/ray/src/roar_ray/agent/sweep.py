"""What a node gives when the work is over: the rest of its journals, and digests of its files."""

from __future__ import annotations

import os
from contextlib import suppress

from . import digests
from .folder import node_folder
from .reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Swept = tuple[list[tuple[str, int, bytes]], list[str]]


def swept(run: str, reached: Mapping[str, int], hash_within_s: float) -> Swept:
    """What this node's journals of a run hold beyond `reached`, and the digests of their files.

    `reached` has for each stream the offset up to which the driver has it. Gives pieces (stream,
    offset, bytes), also of workers that were killed, and documents as of `digests`.
    """
    folder = node_folder(run)
    names = sorted(name for name in os.listdir(folder) if name.endswith(".jnl"))
    paths = [os.path.join(folder, name) for name in names]
    pieces = []
    for path in paths:
        stream = os.path.basename(path)[: -len(".jnl")]
        reading = Reading(path, reached.get(stream, 0))
        pieces += [(stream, offset, data) for offset, data in reading.pieces()]
    return pieces, digests.of_files_in(paths, hash_within_s)


def forget(run: str) -> None:
    """Delete all journals of a run on this node, whose driver is at its end, and their folder.

    Also of workers that were started meanwhile, this one among them: nobody asks for them any more.
    """
    folder = node_folder(run)
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):  # a node on the same machine was faster
            os.unlink(os.path.join(folder, name))
    for path in (folder, os.path.dirname(folder)):
        try:
            os.rmdir(path)
        except OSError:  # another run's, or a worker that has just begun
            return

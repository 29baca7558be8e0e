"""One record of the log, and the proof that it is in it, to be read and checked again."""

from __future__ import annotations

import json
from typing import Any

from litestar import Response, get

from roar_core.transparency.merkle import leaf_hash
from roar_core.transparency.verifying import verify_inclusion
from roar_glaas.access.caller import Caller
from roar_glaas.api.log import proof_document
from roar_glaas.pages.rendering import page
from roar_glaas.storage.database import Database


@get("/log/{leaf_index:int}", sync_to_thread=True)
def record_page(database: Database, caller: Caller, leaf_index: int) -> Response[str]:
    """What the record says, as far as the reader may see it, and the hashes up to a signed head."""
    with database.read() as connection:
        told = proof_document(connection, caller, leaf_index)
    return page(
        "record.html",
        record=told,
        text=None if told["record"] is None else _spaced(told["record"]),
        holds=_holds(told),
    )


def _holds(told: dict[str, Any]) -> bool:
    """Whether the record leads to the signed root: of a log that was meddled with it does not."""
    proof, leaf = told["inclusion"], bytes.fromhex(told["leafHash"])
    if told["record"] is not None:
        own = leaf_hash(bytes.fromhex(told["salt"]), told["record"].encode())
        if own != leaf:
            return False
    return verify_inclusion(
        leaf,
        proof["leafIndex"],
        proof["size"],
        [bytes.fromhex(step) for step in proof["path"]],
        bytes.fromhex(told["head"]["root"]),
    )


def _spaced(record: str) -> str:
    """The same values over many lines, where it is JSON: canonical JSON is one line."""
    try:
        return json.dumps(json.loads(record), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return record

"""Replay the Merkle tree: each leaf in its place, each stored node, the root at every size."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_core.transparency.merkle import joined, node_hash
from roar_core.transparency.statements import LogKey, TreeHead
from roar_core.transparency.verifying import verify_head
from roar_glaas.audit.findings import Findings
from roar_glaas.storage.tables import node, tree_head

_HEADS = 1000


class Replay:
    """The tree as its leaves make it, beside what is stored of it.

    Memory grows with the logarithm of the log. `keys` is filled by whoever reads the records.
    """

    def __init__(self, connection: sa.Connection, findings: Findings, keys: list[LogKey]) -> None:
        self._connection = connection
        self._findings = findings
        self._keys = keys
        self.size = 0
        self.is_whole = True
        self.heads = 0
        self.nodes = 0
        # Complete subtrees from the left, and whether a stored node in them is wrong already.
        self._stack: list[tuple[int, bytes, bool]] = []
        self._is_root_wrong = False
        self._heads: list[TreeHead] = []
        self._newest_read = -(2**62)
        self._next_head = self._take_head()

    def add(self, first: int, leaves: list[bytes]) -> None:
        """Append these leaves, which begin at `first`; check the nodes and heads they complete.

        After a hole in the numbers no root can be told, so nothing more is checked.
        """
        self.is_whole = self.is_whole and first == self.size
        if not self.is_whole:
            return
        stored = self._stored(self.size, self.size + len(leaves))
        for digest in leaves:
            level, index, found, is_wrong = 0, self.size, digest, False
            while self._stack and self._stack[-1][0] == level:
                _, left, was_wrong = self._stack.pop()
                found, is_wrong = node_hash(left, found), was_wrong or is_wrong
                level, index = level + 1, index >> 1
                is_wrong = self._check_node(level, index, found, stored, is_known=is_wrong)
            self._stack.append((level, found, is_wrong))
            self.size += 1
            self._check_heads()

    def root(self) -> bytes:
        """The root of the leaves so far."""
        return joined([digest for _, digest, _ in self._stack])

    def finish(self) -> None:
        """After the last leaf: that every leaf is under a head, and no head goes beyond them."""
        if not self.is_whole:
            return
        if self._next_head is not None:
            self._findings.add(
                f"a tree head of size {self._next_head.size} was signed, but the log holds "
                f"{self.size} records: the rest was removed"
            )
        newest = self._connection.execute(
            sa.select(sa.func.max(tree_head.c.size)).where(tree_head.c.size <= self.size)
        ).scalar()
        if (newest or 0) < self.size:
            self._findings.add(
                f"the records from {newest or 0} to {self.size - 1} are under no signed tree "
                "head: they were not added by a server of this log",
                newest or 0,
            )
        count = self._connection.execute(sa.select(sa.func.count()).select_from(node)).scalar_one()
        if count > self.nodes:
            self._findings.add(f"{count - self.nodes} inner nodes are stored that no leaves give")

    def _take_head(self) -> TreeHead | None:
        """The next of the signed heads, by size; read in batches, the next one last."""
        if not self._heads:
            rows = self._connection.execute(
                sa.select(tree_head)
                .where(tree_head.c.size > self._newest_read)
                .order_by(tree_head.c.size)
                .limit(_HEADS)
            )
            self._heads = [
                TreeHead(r.size, bytes(r.root), r.at_us, bytes(r.key_id), bytes(r.signature))
                for r in rows
            ][::-1]
            self._newest_read = self._heads[0].size if self._heads else self._newest_read
        return self._heads.pop() if self._heads else None

    def _check_heads(self) -> None:
        while self._next_head is not None and self._next_head.size <= self.size:
            head = self._next_head
            self._next_head = self._take_head()
            self.heads += 1
            if not verify_head(head, self._keys):
                self._findings.add(
                    f"the tree head of size {head.size} is forged: its signature is not by the "
                    "key that was in force"
                )
            elif head.root != self.root() and not self._is_root_wrong:
                # Every later one is wrong with it.
                self._is_root_wrong = True
                self._findings.add(
                    f"the tree head of size {head.size} was signed over other records: something "
                    f"among the first {head.size} was changed, removed or moved since"
                )

    def _check_node(
        self,
        level: int,
        index: int,
        found: bytes,
        stored: dict[tuple[int, int], bytes],
        *,
        is_known: bool,
    ) -> bool:
        """Whether it, or one below it, is wrong; only the lowest is told."""
        kept = stored.get((level, index))
        self.nodes += kept is not None
        if kept == found or is_known:
            return is_known
        first, last = index << level, ((index + 1) << level) - 1
        what = "is missing" if kept is None else "does not follow from them"
        self._findings.add(
            f"the inner node over the records from {first} to {last} {what}: they, or it, were "
            "changed or moved",
            first,
        )
        return True

    def _stored(self, start: int, end: int) -> dict[tuple[int, int], bytes]:
        """The stored nodes that leaves from `start` to `end` complete, and some before."""
        found: dict[tuple[int, int], bytes] = {}
        for level in range(1, end.bit_length() + 1):
            rows: Any = self._connection.execute(
                sa.select(node.c.index, node.c.hash).where(
                    node.c.level == level,
                    node.c.index.between(start >> level, (end - 1) >> level),
                )
            )
            found |= {(level, index): bytes(digest) for index, digest in rows}
        return found

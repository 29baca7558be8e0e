"""The Merkle log of all that was accepted (docs/registry-log.md).

What clients compute too (the tree, what is signed, the checks) is `roar_core.transparency`. Here,
in the database: `appending`, `proofs`, `signing` with its `keyfile`, `entries` (records as a caller
may see them), `withholding` and how that is told (`withheld`).
"""

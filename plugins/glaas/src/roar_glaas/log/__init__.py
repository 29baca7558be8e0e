"""The Merkle log of all that was accepted (docs/registry-log.md).

Pure: `merkle` (the tree), `statements` (what is signed), `verifying`. In the database: `appending`,
`proofs`, `signing` with its `keyfile`, `entries` (records as a caller may see them), `withholding`
and how that is told (`withheld`).
"""

"""Labels and tags at a registry: sent with what is registered, and kept in step afterwards.

`documents` reads them as the protocol has them, `merging` compares three states of a document,
`targets` finds where something is registered, `syncing` brings both sides to the same, `editing`
reads and changes what a registry says alone.
"""

"""Registering: what a client sends piece by piece, and the one moment when all of it counts.

`wire` is what is sent, `intake` makes pieces of it, `staging` keeps them; `finalize` has `pieces`
hold together, `overlaps` compare them with what is registered, and `writing` register them.
"""

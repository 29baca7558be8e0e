"""Fragments by way of a registry, encrypted, where tasks and roar share no folder.

For backends. A *fragment session* (GLaaS v1) is a place at a registry where whoever shows its token
may leave bytes, and fetch what was left. Here they are encrypted with a key that the registry never
gets (ADR 0031). Nothing of it happens unless the user has set `fragments.carrier`. Who uses
`roar_core.reports` has all of that there; for others:

run_session  `RunSession`: a run's own session, opened where work is submitted, received from later
session      `Session`, of which `text` is for the tasks, and `taken_from`, by which they get it
sending      `send`: what a task did, as JSON

Below: `sealing` (keys, encryption), `pieces` (long documents in short batches), `calls` (the
protocol), `waiting` (no longer than one may), `spool` (what could not be sent).
"""

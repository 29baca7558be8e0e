"""Registering without a registration session (GLaaS v1, section 5), as older clients do.

Nothing says that all is there. But the client sends labels when it has sent everything else, and
only when nothing failed; so `labels/sync` is what `finalize` is elsewhere. Until then everything is
staged, and becomes one session, whole or not at all, by the same rules and with the same records.
What the client adds then (the job of a `put`, and its labels) becomes a session of its own. What
comes later still is refused: that is which members of a dataset a job read, which these clients
send last and by no session's name. Between its requests the client reads back the artifacts it
sent; from its own address it is told those that wait.

There is no token either. The hash that the client made of its work stands in for one: it is made
of paths, times and machine names, travels in requests alone, and is never told to anybody. A hash
of it is what links name. All of it is public, and by nobody known.
"""

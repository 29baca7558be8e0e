"""Moving files between this machine and stores: what `roar get` and `roar put` do.

`schemes` finds the transfer of a URL; `getting` and `putting` plan, compare with what is there, and
have a `crew` move the rest: `fetching` one object, into `parts` that a kill leaves usable. `record`
tells the session database. `file` and `https` are the transfers of the core.
"""

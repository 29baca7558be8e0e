"""Moving files between this machine and stores: what `roar get` and `roar put` do.

`schemes` finds the transfer of a URL, `getting` and `putting` plan, `parts`, `fetching` and `crew` move,
`record` tells the session database.
"""

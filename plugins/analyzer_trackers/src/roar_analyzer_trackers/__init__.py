"""References to experiment trackers' runs: one module for each tracker, an entry point of its own.

A module knows two things of its tracker: which files are the tracker's own, so that they stay out
of lineage, and where in them the run is named. What it reads may be half-written, huge or hostile:
`files`, `databases` and `record_log` read it within bounds, and whatever cannot be read leaves what
the path tells. No tracker is ever imported, and what is heavy is imported where it is used, so that
nine analyzers cost a run without trackers next to nothing.
"""

"""Pages for people, that work without a script and under a strict policy."""

"""Questions to the graph: what made an artifact, what was made of it."""

"""Questions asked of the graph: pure functions over rows the store hands out."""

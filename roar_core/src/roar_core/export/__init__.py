"""Lineage for others: one graph, and writers of open formats that are offered like plugins."""

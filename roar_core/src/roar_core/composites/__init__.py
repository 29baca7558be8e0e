"""Datasets of many files: recognised by their layout, and recorded as one artifact."""

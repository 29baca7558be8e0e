"""Digests of files: computing them, trusting old ones, and not slowing anything down meanwhile."""

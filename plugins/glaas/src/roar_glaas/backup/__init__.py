"""Backups: one file that any server of this or a later release restores, on either engine."""

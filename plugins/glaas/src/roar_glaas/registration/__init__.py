"""Registering: what a client sends piece by piece, and the one moment when all of it counts."""

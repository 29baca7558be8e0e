"""Serving over HTTP: what every request passes, is limited by, counted in and logged as."""

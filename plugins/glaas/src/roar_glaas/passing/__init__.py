"""What passes through the registry and is not registered: fragments of runs, telemetry."""

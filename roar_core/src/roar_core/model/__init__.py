"""The values roar speaks in: attrs classes with no I/O. Import each from its own module."""

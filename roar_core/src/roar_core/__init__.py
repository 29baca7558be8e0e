"""The core of roar: records what a command really read and wrote, and asks questions of it."""

__version__ = "0.1.0"

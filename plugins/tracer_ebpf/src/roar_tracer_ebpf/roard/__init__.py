"""roard, the collector: loads the programs once and writes the journals of all runs of a machine.

It runs under the system's own interpreter with the standard library and bcc only, as root, and
imports nothing of roar: what it shares with roar_core is compared by a test.
"""

from __future__ import annotations

VERSION = "0.1.0"

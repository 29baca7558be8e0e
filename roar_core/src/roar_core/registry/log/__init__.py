"""What keeps a registry honest: its log is remembered, and what was registered is found in it.

`remembered` keeps the newest head of each registry, `visiting` checks that the log of now goes on
from there, `records` reads what the log holds of a session, `proving` puts these together.
"""

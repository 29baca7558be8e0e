"""Resolving: what a registry knows, laid over what is recorded here, for the commands that read.

`names` says what of a REF a registry can be asked, `asking` and `protocol` fetch it, `translating`
makes graph jobs and artifacts of it, `checking` refuses what cannot be true, and `overlay` lays it
over a copy of the session database. The user's own database is never written to.
"""

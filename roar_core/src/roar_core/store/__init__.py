"""The session database: what was run here, and what it read and wrote. Start at `writer.Store`."""

"""The command line: one module per command family, imported only when called."""

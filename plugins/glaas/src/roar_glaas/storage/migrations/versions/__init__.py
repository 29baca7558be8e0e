"""One module for each step of the schema; none is ever changed once released."""

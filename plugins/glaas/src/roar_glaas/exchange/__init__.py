"""Everything that one may read, as a file of lines; and from such a file into an empty registry."""

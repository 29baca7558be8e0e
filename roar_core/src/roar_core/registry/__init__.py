"""The client of a registry: reaching it, who one is there, and what is published and asked."""

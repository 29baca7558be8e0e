"""The Merkle log of all that was accepted."""

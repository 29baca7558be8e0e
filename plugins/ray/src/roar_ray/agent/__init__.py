"""What runs in a Ray worker: the standard library only, and whatever goes wrong here stays here."""

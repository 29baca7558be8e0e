"""What surrounds a run: the checkout, the packages its program used, and the machine."""

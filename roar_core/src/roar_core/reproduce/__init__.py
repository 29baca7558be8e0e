"""From a hash back to the artifact: plan it, carry it out somewhere else, and compare."""

"""Ray under `roar run`: an agent in each of its workers, and what brings their reports back."""

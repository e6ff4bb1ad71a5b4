"""The same works by other systems. Each runs in an environment of its own, without Flower."""

"""How a step is computed on a machine: the same mathematics, as fast as it allows."""

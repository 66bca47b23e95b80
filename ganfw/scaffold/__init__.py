"""Working starting points: packages and recipes that `ganfw new` writes."""

"""A run as one object, for a notebook or a script that looks at it."""

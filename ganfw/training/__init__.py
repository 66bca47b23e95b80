"""Putting an experiment together and training it."""

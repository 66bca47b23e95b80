"""A trained generator for use without ganfw."""

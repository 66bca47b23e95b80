"""Recipes: TOML documents that name the parts of an experiment."""

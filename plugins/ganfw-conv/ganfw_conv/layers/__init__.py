"""Layers that several of the networks have."""

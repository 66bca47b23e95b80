"""Checkpoints: a directory each, tensors as safetensors, all else as JSON, and a manifest with hashes."""

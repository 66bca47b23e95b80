"""How good the samples of a generator are."""

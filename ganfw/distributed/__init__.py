"""The processes that train one experiment together."""

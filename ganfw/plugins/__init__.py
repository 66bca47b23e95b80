"""Parts and where they come from: what a plugin offers, how it is found, and the schema in a signature."""

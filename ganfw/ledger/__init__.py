"""Many runs, read only from their directories: which there are, how far they came, how good they are."""

"""Many runs as one experiment: what varies, the trials, and running them wherever a launcher says."""

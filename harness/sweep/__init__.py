"""Many runs of a benchmark: a matrix of its keys, or a search for where it stops to hold."""

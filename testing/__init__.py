"""What tests and benchmarks share: real servers, and results that others have worked out. Neither imports the other."""

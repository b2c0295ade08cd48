"""Work on many processes and machines, on Ray."""

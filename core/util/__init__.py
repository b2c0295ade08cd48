"""Small things that every room may use: errors, files, paths, caches."""

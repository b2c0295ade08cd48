"""Lists of films that are right and varied, from what somebody has liked."""

"""What an action is worth: named terms, composed by weights."""

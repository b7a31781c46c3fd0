"""From an accepted request to its transcript."""

"""What a change must pass, and what is verified apart from it."""

"""English numbers are written in digits."""

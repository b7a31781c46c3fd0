"""Stability of a server: an hour of mixed load, silent streams, and a day."""

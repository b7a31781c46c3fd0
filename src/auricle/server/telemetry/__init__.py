"""Metrics, and the use of the host."""

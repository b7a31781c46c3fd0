"""Metrics and the status history."""

"""Recognisers on Ray Serve."""

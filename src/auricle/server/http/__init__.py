"""Errors, bodies, client addresses and logs for all HTTP routes."""

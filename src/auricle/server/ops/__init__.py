"""Health, the agent check and the access log."""

"""Health, the pages, the agent check and the access log."""

"""The gateway, which sends jobs."""

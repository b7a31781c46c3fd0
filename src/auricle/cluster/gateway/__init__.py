"""The side that sends jobs."""

"""Routes: one folder for each wire API."""

"""Restrictions that a worker process applies to itself before it reads untrusted data."""

"""Request bodies and parameters, the spool, and records of background jobs."""

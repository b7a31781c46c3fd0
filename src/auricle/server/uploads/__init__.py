"""Request bodies and parameters, the upload spool, and background job records."""

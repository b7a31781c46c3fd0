"""``auricle serve``: the HTTP server with its workers."""

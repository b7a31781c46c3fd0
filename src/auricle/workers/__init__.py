"""Recognition and decoding in local processes, isolated from the server."""

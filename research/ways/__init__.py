"""The ways of a live packet and of a file through the server, from a trace."""

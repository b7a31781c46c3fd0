"""A client for live captions, for programs that speak to a server."""

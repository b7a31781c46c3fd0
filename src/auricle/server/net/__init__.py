"""Sockets, HTTP and WebSocket connections, TLS."""

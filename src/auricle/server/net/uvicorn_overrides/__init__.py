"""Subclasses of uvicorn's server and connections, the only modules that rely on its internals."""

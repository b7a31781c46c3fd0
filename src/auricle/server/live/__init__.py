"""Live sessions: connections, their runner and registry."""

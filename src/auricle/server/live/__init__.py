"""Live sessions: connections, runners and registry."""

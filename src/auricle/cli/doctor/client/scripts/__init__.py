"""What programs send over live connections, and what they read; no I/O."""

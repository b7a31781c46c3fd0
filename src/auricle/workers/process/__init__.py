"""The server's side of a child process: its supervisor, its life and its limits."""

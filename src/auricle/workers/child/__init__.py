"""The worker's side of a child process: its entry point, its channel, and its loop."""

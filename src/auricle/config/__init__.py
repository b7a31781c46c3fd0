"""Configuration: settings, the number of workers, and the environment of child processes."""

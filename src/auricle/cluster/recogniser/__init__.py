"""recogniser."""

"""The core's sections of the settings."""

"""A resilience suite for any live speech-to-text server."""

__version__ = "0.1.0"

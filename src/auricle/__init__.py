"""Auricle: self-hosted speech to text that does not go down."""

__version__ = "0.1.0"

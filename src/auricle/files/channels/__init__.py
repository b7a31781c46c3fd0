"""Channels of a file that are transcribed apart, and merged."""

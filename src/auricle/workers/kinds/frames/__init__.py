"""Decode the compressed frames of live sessions, in dedicated workers."""

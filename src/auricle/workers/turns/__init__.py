"""Ends of turns, in dedicated workers."""

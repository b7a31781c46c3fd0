"""Partials of open utterances, in dedicated workers."""

"""Auricle's own live protocol."""

"""Auricle's own API."""

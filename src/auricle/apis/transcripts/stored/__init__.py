"""Transcripts in the database: their segments, words, edits and events."""

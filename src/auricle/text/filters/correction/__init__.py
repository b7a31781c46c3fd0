"""Correct the terms of a user's vocabulary in transcripts, by how they sound."""

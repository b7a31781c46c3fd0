"""Writes results as parts of a sentence, for dictation into a text."""

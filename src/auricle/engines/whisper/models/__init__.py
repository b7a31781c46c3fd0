"""Directories of models: which files they need, where they come from, and the bundled model."""

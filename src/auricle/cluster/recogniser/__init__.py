"""The recogniser, which runs jobs."""

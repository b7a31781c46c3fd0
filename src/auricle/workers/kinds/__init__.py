"""The kinds of workers: one folder each."""

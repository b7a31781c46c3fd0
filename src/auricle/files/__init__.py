"""Whole files: chunks of speech become jobs, and one transcript."""

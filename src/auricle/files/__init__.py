"""Transcribe whole files: chunks of speech become jobs, and their results one transcript."""

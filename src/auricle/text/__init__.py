"""Rewrite transcripts: numbers in digits, and private numbers and addresses hidden."""

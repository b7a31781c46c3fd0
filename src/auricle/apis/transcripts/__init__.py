"""Kept transcripts of live sessions and jobs."""

NAME = "transcripts"

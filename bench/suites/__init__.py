"""Suites of other projects, each with Auricle and a peer in the same run."""

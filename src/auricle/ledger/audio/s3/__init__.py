"""Buckets of S3-compatible services, for several gateways."""

"""Audio of accepted jobs: a directory, or a bucket for several gateways."""

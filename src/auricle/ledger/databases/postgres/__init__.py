"""PostgreSQL, for several gateways."""

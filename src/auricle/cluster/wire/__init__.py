"""What gateways and recognisers exchange."""

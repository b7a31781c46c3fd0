"""Messages between gateways and recognisers."""

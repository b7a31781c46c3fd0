"""Wyoming, Home Assistant's protocol, on a separate port."""

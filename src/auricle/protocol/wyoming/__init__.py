"""Wyoming's wire format."""

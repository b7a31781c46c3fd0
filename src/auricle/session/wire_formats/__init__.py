"""wire_formats."""

"""Wyoming's wire protocol."""

"""The names of a Home Assistant: what its users call their lamps and rooms, for recognition."""

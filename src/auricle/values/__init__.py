"""Values that every room shares: types, events, commands, errors, limits and protocols."""

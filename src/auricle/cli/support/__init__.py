"""What commands share: the console, options, and output files."""

"""Whether a server stays as it is: an hour of mixed load, silent streams, and a day."""

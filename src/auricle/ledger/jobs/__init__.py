"""Jobs that survive a crash: their rules without I/O, their store, and what runs them."""

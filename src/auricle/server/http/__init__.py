"""What all HTTP routes share: errors, bodies, client addresses, logs."""

"""Several models at once: their table, their shares of the machine, and their loading on demand."""

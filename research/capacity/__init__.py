"""How many live streams so many machines can take: what is measured, and what follows from it."""

"""More work than the service can do: what is refused, how soon, and what still gets done."""

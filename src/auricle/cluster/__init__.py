"""Recognisers on other machines: what a gateway says to them, and both ends of that."""

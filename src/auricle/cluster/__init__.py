"""Recognisers on other machines: the protocol between gateway and recogniser, and both ends."""

"""This version and an earlier one, side by side, with the same speech."""

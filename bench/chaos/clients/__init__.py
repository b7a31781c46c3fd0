"""One module for each kind of client; each asks once and returns all the text that came back."""

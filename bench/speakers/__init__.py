"""Who said what: errors of turns and of words, in files and live, and their CPU time."""

"""End of turns: the probability that a speaker has finished, by the sound of the speech."""

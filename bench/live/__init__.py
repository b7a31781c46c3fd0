"""Live captions: delays, errors and CPU time by number of streams; words invented in noise."""

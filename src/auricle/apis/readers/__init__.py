"""One speaks, many read: the feeds of live sessions, and their readers."""

NAME = "readers"

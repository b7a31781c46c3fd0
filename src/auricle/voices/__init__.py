"""Known voices: names that speakers get by their voices, in files and in live sessions."""

NAME = "voices"

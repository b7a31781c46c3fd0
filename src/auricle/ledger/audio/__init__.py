"""The audio of accepted jobs: in a directory, or in a store that a folder with a ``spec`` adds."""

"""Audio of open utterances on the disk, so that it outlives a crash of the server."""

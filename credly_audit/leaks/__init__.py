"""Search files, archives, git histories and streams for the values of tokens that a snapshot lists."""

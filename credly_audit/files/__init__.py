"""Files: written completely or not at all, destinations, paths that people write, locks, access lists."""

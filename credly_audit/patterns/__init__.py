"""People's regular expressions: read as Python reads them, run with a deadline, tried on hostile texts."""

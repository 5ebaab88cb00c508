"""The process: its signals, the programs that it starts, and the extras that are installed for it."""

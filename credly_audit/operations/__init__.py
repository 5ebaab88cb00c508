"""What a command does from beginning to end: collect, evaluate, write reports, record, notify."""

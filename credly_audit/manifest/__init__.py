"""What an audit wrote, by SHA-256: plain, or signed and chained to the audit before it."""

"""Messages to people about an audit, and their delivery."""

"""What several formats show of an audit, computed once."""

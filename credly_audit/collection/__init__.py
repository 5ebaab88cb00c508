"""What the collector is made of: one organization's listing, its coverage, the order of asking, the frames."""

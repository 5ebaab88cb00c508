"""The life of a token: made, rotated, proved; written so that no value is ever lost without a person being told."""

"""What a person writes: a TOML file, and the organizations beside it, into settings that the rest can trust."""

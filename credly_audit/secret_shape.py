"""Tells whether a run of characters looks like a random value rather than like something that a person wrote."""


def looks_random(run: str) -> bool:
    """Placeholder until measured."""
    return False

"""Where the tool keeps what outlives a run."""

from pathlib import Path

from platformdirs import user_state_path


def state_folder() -> Path:
    """The user's state directory: on Linux `$XDG_STATE_HOME/credly-audit`, else `~/.local/state/credly-audit`."""
    return user_state_path("credly-audit", appauthor=False)

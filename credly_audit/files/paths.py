"""Where files are: the one reading of a path that a person wrote, and folders for what outlives a run or a power cut.

A path means the same in an option, an environment variable, the configuration and a reference to a secret: `~` and
`~user` at its beginning are home directories, everything else is taken as it stands.
"""

import errno
import os
from pathlib import Path

from platformdirs import user_state_path

from credly_audit.errors import UsageError

HOMELESS = "HOME is not set, and the user has no home directory"

WAY_OUT = "set XDG_STATE_HOME to a persistent folder"


SYNCS_NO_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}


class BadPath(ValueError):  # noqa: N818 - named as it is told
    """A text is no path on this machine; the message is the end of a sentence and repeats the text."""


class NoStateFolder(UsageError):  # noqa: N818 - named as it is told
    """Nothing says where to keep the history, locks and emergency copies."""


def local_path(text: str, folder: Path = Path()) -> Path:
    """Return the path that a person wrote; a relative one begins at `folder`. BadPath where it can be none."""
    if not text:
        raise BadPath("is empty; write a path")
    if "\0" in text:
        raise BadPath(f"{text} contains a NUL character, which no path can contain")
    path = folder / _expand_tilde(text)
    if trouble := _describe_trouble(path):
        raise BadPath(f"{text} cannot be reached ({trouble}); name another path, or change its permissions")
    return path


def working_folder() -> Path:
    """Return the working directory; UsageError where it was removed meanwhile."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working directory no longer exists; change to another one") from None


def state_folder() -> Path:
    """Return the user's state directory: on Linux `$XDG_STATE_HOME/credly-audit`, else `~/.local/state/credly-audit`.

    NoStateFolder where nothing says which that is: a user without a home directory, as often in a container.
    """
    named = os.environ.get("XDG_STATE_HOME", "").strip()
    try:
        if not named and _find_home("") is None:
            raise BadPath(f"no folder for the history and the locks: {HOMELESS}")
        folder = local_path(named) / "credly-audit" if named else user_state_path("credly-audit", appauthor=False)
    except BadPath as error:
        raise NoStateFolder(f"{'XDG_STATE_HOME: ' if named else ''}{error}; {WAY_OUT}") from None
    trouble = _describe_trouble(folder) if folder.is_absolute() else "not an absolute path"
    if trouble:
        raise NoStateFolder(f"{folder}: no history and no locks can be stored there ({trouble}); {WAY_OUT}")
    return folder


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, with its parents; all outlive a power cut. OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder, new and removed ones, outlive a power cut. OSError where the disk fails.

    A folder that may be written in but not read, and a file system that syncs no folders, are left as they are.
    """
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in SYNCS_NO_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def _describe_trouble(path: Path) -> str | None:
    """Return why a path leads nowhere, and why it cannot be said whether it leads anywhere."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeEncodeError:
        return "a character that no file name can contain"
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _expand_tilde(text: str) -> Path:
    """Replace `~` or `~user` at the beginning, as a shell does."""
    first, _, rest = text.replace(os.sep, "/").partition("/")
    if not first.startswith("~"):
        return Path(text)
    user = first[1:]
    home = _find_home(user)
    if home is None:
        why = f"there is no user {user} on this machine" if user else HOMELESS
        raise BadPath(f"{text} cannot be resolved ({why}); write the absolute path, or ./{text} if that is its name")
    return home / rest


def _find_home(user: str) -> Path | None:
    """HOME counts for oneself where it is an absolute path; the password file says the rest."""
    own = Path("" if user else os.environ.get("HOME", ""))
    if own.is_absolute():
        return own
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        entry = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
    except ImportError:
        home = Path(os.path.expanduser(f"~{user}"))  # noqa: PTH111 - it raises nothing
    except KeyError:
        return None
    else:
        home = Path(entry.pw_dir)
    return home if home.is_absolute() else None
